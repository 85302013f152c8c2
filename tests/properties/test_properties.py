"""Every public function keeps its properties for all shapes, sizes, seeds and precisions that are drawn."""

import pathlib

import numpy as np
import properties
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from properties import CASES

for _file in sorted(pathlib.Path(__file__).parent.glob("cases_*.py")):
    __import__(_file.stem)

SETTINGS = {
    "derandomize": True,
    "deadline": None,
    "database": None,
    "phases": [Phase.explicit, Phase.generate],  # sizes are small as they are: a failure need not be made smaller
    "suppress_health_check": list(HealthCheck),
}


def reseeded(case, draw):
    """Arguments and result, freshly made from what was drawn."""
    arguments, named = case.build(draw)
    return arguments, named, case.function(*arguments, **named)


def floats(value):
    """Floating-point tensors and arrays inside a value, with their paths."""
    return [
        (path, leaf)
        for path, leaf in properties.leaves(value)
        if (isinstance(leaf, torch.Tensor) and leaf.is_floating_point())
        or (isinstance(leaf, np.ndarray | np.generic) and leaf.dtype.kind == "f")
    ]


def part(value, number, count):
    """Replica `number` of an argument, with the axis kept; one that all replicas share stays."""
    if isinstance(value, list | tuple):
        if isinstance(value, list) and len(value) == count and isinstance(value[0], torch.Generator):
            return [value[number]]
        return type(value)(part(each, number, count) for each in value)
    return value if len(value) == 1 and count > 1 else value[number : number + 1]


def length(value):
    """Number of replicas of an argument."""
    if isinstance(value, list | tuple) and not (value and isinstance(value[0], torch.Generator)):
        return length(value[0])
    return len(value)


def one_at_a_time(case, draw):
    """The result replica by replica, each piece put along the leading axis."""
    arguments, named = case.build(draw.again())
    chosen = [(arguments if isinstance(place, int) else named)[place] for place in case.each]
    count = max(length(value) for value in chosen)
    pieces = []
    for number in range(count):
        arguments, named = case.build(draw.again())
        arguments, named = list(arguments), dict(named)
        for place in case.each:
            holder = arguments if isinstance(place, int) else named
            holder[place] = part(holder[place], number, count)
        pieces.append([leaf for _, leaf in properties.leaves(case.function(*arguments, **named))])
    return [np.concatenate([np.asarray(piece) for piece in column]) for column in zip(*pieces)]


@pytest.mark.parametrize("name", sorted(CASES))
def test_property(name, explicit_devices):
    case = CASES[name]

    @settings(max_examples=case.examples, **SETTINGS)
    @given(st.data())
    def holds(data):
        draw = properties.Draw(data)
        arguments, named, result = reseeded(case, draw)
        untouched = case.build(draw.again())
        assert properties.same((arguments, named), untouched), "the arguments were changed"
        assert properties.same(result, reseeded(case, draw.again())[2]), "the same arguments gave another result"
        if case.finite:
            for path, leaf in floats(result):
                assert bool(np.isfinite(np.asarray(leaf)).all()), f"result{path} is not finite"
        tensors = [(path, leaf) for path, leaf in floats(result) if isinstance(leaf, torch.Tensor)]
        assert all(leaf.dtype == torch.float64 for _, leaf in tensors), "float64 is lost"
        assert all(leaf.dtype == np.float64 for _, leaf in floats(result) if not isinstance(leaf, torch.Tensor))
        assert all(leaf.device == draw.rt.device for _, leaf in tensors)
        if case.single and tensors:
            _, _, single = reseeded(case, draw.again(torch.float32))
            for path, leaf in floats(single):
                assert not isinstance(leaf, torch.Tensor) or leaf.dtype == torch.float32, f"result{path}: {leaf.dtype}"
        if case.each is not None:
            pieces = one_at_a_time(case, draw)
            whole = [leaf for _, leaf in properties.leaves(result)]
            assert len(pieces) == len(whole)
            for together, alone in zip(whole, pieces):
                assert properties.close(together, alone, case.loose), f"{together} is not {alone}"
        if case.check is not None:
            case.check(result, *arguments, **named)

    holds()


REFUSALS = [(name, number) for name in sorted(CASES) for number in range(len(CASES[name].refuses))]


@pytest.mark.parametrize(("name", "number"), REFUSALS)
def test_impossible_arguments_are_one_clear_sentence(name, number):
    case = CASES[name]
    built = case.refuses[number]()
    arguments, named = built if isinstance(built, tuple) and isinstance(built[-1], dict) else (built, {})
    with pytest.raises(ValueError) as error:
        case.function(*arguments, **named)
    text = str(error.value)
    assert type(error.value) is ValueError and "\n" not in text and text.endswith("."), text
