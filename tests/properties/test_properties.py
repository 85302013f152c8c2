"""Every public function keeps its properties for all shapes, sizes, seeds and precisions that are drawn."""

import inspect
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


def one_at_a_time(case, draw, names):
    """The result replica by replica, each piece put along the leading axis."""
    count = max(length(value) for name, value in case.arguments(draw.again()).items() if name in names)
    pieces = []
    for number in range(count):
        arguments = case.arguments(draw.again())
        alone = {name: part(value, number, count) if name in names else value for name, value in arguments.items()}
        pieces.append([leaf for _, leaf in properties.leaves(case.call(alone))])
    return [np.concatenate([np.asarray(piece) for piece in column]) for column in zip(*pieces)]


@pytest.mark.parametrize("name", sorted(CASES))
def test_property(name, explicit_devices):
    case = CASES[name]
    names = properties.replicated(case.function) if case.each is None else case.each

    @settings(max_examples=case.examples, **SETTINGS)
    @given(st.data())
    def holds(data):
        draw = properties.Draw(data)
        arguments = case.arguments(draw)
        result = case.call(arguments)
        assert properties.same(arguments, case.arguments(draw.again())), "the arguments were changed"
        assert properties.same(result, case.call(case.arguments(draw.again()))), (
            "the same arguments gave another result"
        )
        tensors = [leaf for _, leaf in floats(result) if isinstance(leaf, torch.Tensor)]
        assert all(leaf.dtype == torch.float64 and leaf.device == draw.rt.device for leaf in tensors), "float64 is lost"
        assert all(leaf.dtype == np.float64 for _, leaf in floats(result) if not isinstance(leaf, torch.Tensor))
        if case.single and tensors:
            single = case.call(case.arguments(draw.again(torch.float32)))
            for path, leaf in floats(single):
                assert not isinstance(leaf, torch.Tensor) or leaf.dtype == torch.float32, f"result{path}: {leaf.dtype}"
        if names:
            pieces = one_at_a_time(case, draw, names)
            whole = [leaf for _, leaf in properties.leaves(result)]
            assert len(pieces) == len(whole)
            for together, alone in zip(whole, pieces):
                assert properties.close(together, alone, case.loose), f"{together} is not {alone}"
        if case.check is not None:
            arguments = case.arguments(draw.again())
            bound = inspect.BoundArguments(case.signature, arguments)
            assert case.check(result, *bound.args, **bound.kwargs) in (None, True), f"{result}"

    holds()


REFUSALS = [
    pytest.param(name, argument, value, id=f"{name}-{argument}-{number}")
    for name in sorted(CASES)
    for argument, values in CASES[name].refuses.items()
    for number, value in enumerate(values)
]


@pytest.mark.parametrize(("name", "argument", "value"), REFUSALS)
def test_an_impossible_argument_is_one_clear_sentence_that_names_it(name, argument, value):
    case, (argument, *called) = CASES[name], argument.split(": ")

    @settings(max_examples=1, **SETTINGS)
    @given(st.data())
    def refused(data):
        arguments = case.arguments(properties.Draw(data))
        impossible = value(arguments[argument]) if callable(value) else value
        with pytest.raises(ValueError) as error:
            case.call(dict(arguments) | {argument: impossible})
        text = str(error.value)
        assert type(error.value) is ValueError and "\n" not in text and text.endswith("."), text
        assert properties.mentions(text, *called or [argument]), f"{argument}: {text}"

    refused()
