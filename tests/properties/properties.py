"""What a property of a public function is, and how it is tested.

A case says how to draw arguments of all sizes for one function. From its signature follows what holds for any function:

* the arguments are left as they are;
* the same arguments, and generators in the same state, give the same result, bit for bit;
* floating-point results have the precision of the arguments, and no tensor is made on an unnamed device;
* replicas are independent: along the axis that the annotations call R, or the leading axis of the arguments in `each`,
  the result for many is that of one at a time;
* an impossible argument (`refuses`) is one clear `ValueError`, which names it.

What holds for this function alone is its `check`: an oracle, an inverse, a bound, a conserved quantity.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from hypothesis import strategies as st

from offconvex import rng, runtime

Arguments = tuple[tuple, dict]


class Draw:
    """Sizes and numbers drawn by Hypothesis, and arrays of them; rewound, it gives the same ones again."""

    def __init__(self, data, dtype: torch.dtype = torch.float64):
        self.data, self.dtype, self.kept, self.place = data, dtype, [], 0

    def again(self, dtype: torch.dtype | None = None) -> Draw:
        """A copy that replays what was drawn, in another precision if one is given."""
        copy = Draw(self.data, dtype or self.dtype)
        copy.kept = self.kept
        return copy

    def _next(self, strategy):
        if self.place == len(self.kept):
            self.kept.append(self.data.draw(strategy))
        self.place += 1
        return self.kept[self.place - 1]

    @property
    def rt(self) -> runtime.Runtime:
        """Runtime on the CPU."""
        return runtime.Runtime(torch.device("cpu"), self.dtype)

    def int(self, low: int, high: int) -> int:
        """A size."""
        return self._next(st.integers(low, high))

    def float(self, low: float, high: float) -> float:
        """A number well inside the range, or one of its ends."""
        return self._next(st.floats(low, high, allow_nan=False, allow_subnormal=False))

    def one(self, *values):
        """One of several."""
        return self._next(st.sampled_from(values))

    def numpy(self) -> np.random.Generator:
        """A fresh NumPy generator, in the same state when replayed."""
        return rng.numpy_generator(self._next(st.integers(0, 2**32)), "property")

    def generator(self) -> torch.Generator:
        """A fresh torch generator, in the same state when replayed."""
        return rng.generator(self._next(st.integers(0, 2**32)), "property")

    def generators(self, count: int) -> list[torch.Generator]:
        """One per replica."""
        seed = self._next(st.integers(0, 2**32))
        return [rng.generator(seed, "property", replica) for replica in range(count)]

    def normal(self, *shape: int) -> np.ndarray:
        """Standard normal entries."""
        return self.numpy().normal(size=shape)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """Uniform entries."""
        return self.numpy().uniform(low, high, size=shape)

    def rising(self, count: int, low: float, high: float) -> np.ndarray:
        """Distinct points from low to high in rising order, the ends included."""
        inner = np.sort(self.numpy().uniform(0, 1, size=count))
        inner = np.cumsum(inner + 0.1)
        return low + (high - low) * (inner - inner[0]) / (inner[-1] - inner[0])

    def tensor(self, *shape: int, low: float | None = None, high: float = 1.0) -> torch.Tensor:
        """Standard normal entries, or uniform ones from `low` to `high`."""
        return self.rt.tensor(self.normal(*shape) if low is None else self.uniform(*shape, low=low, high=high))

    def mask(self, *shape: int) -> torch.Tensor:
        """Zeros and ones, a one in every replica."""
        flags = self.uniform(*shape) < 0.6
        flags.reshape(shape[0], -1)[:, 0] = True
        return self.rt.tensor(flags)


@dataclass(frozen=True)
class Case:
    """How one function is tested.

    Attributes:
        function: the function itself.
        build: draw -> positional and named arguments.
        check: (result, arguments) -> whether it is right; None passes too, for checks with assertions of their own.
        each: names of the arguments whose leading axis the result shares, where no annotation says so.
        loose: largest relative difference between all at once and one at a time.
        refuses: impossible values by the argument's name, or by "name: what the sentence calls it"; what can be called
            makes one of the argument drawn.
        examples: how many are drawn.
        single: whether float32 arguments give float32 tensors.
    """

    function: Callable
    build: Callable[[Draw], Arguments]
    check: Callable[..., object] | None = None
    each: Sequence[str] | None = None
    loose: float = 1e-9
    refuses: Mapping[str, Sequence] = field(default_factory=dict)
    examples: int = 5
    single: bool = True

    @functools.cached_property
    def signature(self) -> inspect.Signature:
        """Of the function."""
        return inspect.signature(self.function)

    def arguments(self, draw: Draw) -> dict[str, object]:
        """Drawn arguments by name."""
        positional, named = self.build(draw)
        return self.signature.bind(*positional, **named).arguments

    def call(self, arguments: Mapping[str, object]):
        """The function's result for arguments by name."""
        bound = inspect.BoundArguments(self.signature, dict(arguments))
        return self.function(*bound.args, **bound.kwargs)


CASES: dict[str, Case] = {}


def name_of(function: Callable) -> str:
    """Dotted name without the package."""
    return f"{function.__module__}.{function.__qualname__}".removeprefix("offconvex.")


def case(function: Callable, build: Callable[[Draw], object], check=None, **options) -> None:
    """Register the property of a function; `build` returns positional arguments, or a pair of them and named ones."""

    def arguments(draw: Draw) -> Arguments:
        built = build(draw)
        if isinstance(built, tuple) and len(built) == 2 and isinstance(built[0], tuple) and isinstance(built[1], dict):
            return built
        return (built, {}) if isinstance(built, tuple) else ((built,), {})

    name = name_of(function)
    assert name not in CASES, f"{name} has two cases"
    CASES[name] = Case(function, arguments, check, **options)


def leaves(value, path: str = "") -> list[tuple[str, object]]:
    """Every number, array, tensor and text inside a value, with the way to it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return [leaf for name, part in fields.items() for leaf in leaves(part, f"{path}.{name}")]
    if isinstance(value, Mapping):
        return [leaf for key, part in value.items() for leaf in leaves(part, f"{path}[{key!r}]")]
    if isinstance(value, list | tuple):
        return [leaf for place, part in enumerate(value) for leaf in leaves(part, f"{path}[{place}]")]
    return [(path, value)]


def same(left, right) -> bool:
    """Whether two values are equal, bit for bit; generators and functions do not count."""
    ours, theirs = leaves(left), leaves(right)
    return len(ours) == len(theirs) and all(p == q and _equal(a, b) for (p, a), (q, b) in zip(ours, theirs))


def _equal(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        a, b = a.detach().cpu().numpy(), b.detach().cpu().numpy()
    if isinstance(a, np.ndarray | np.generic | float):
        a, b = np.asarray(a), np.asarray(b)
        equal = a.dtype.kind == "O" or np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
        return a.dtype == b.dtype and a.shape == b.shape and equal
    if isinstance(a, int | str | bool | bytes | type(None)):
        return a == b
    return True


def close(left, right, loose: float) -> bool:
    """Whether two arrays differ by at most a share of their largest entry."""
    a, b = (np.asarray(x.detach() if isinstance(x, torch.Tensor) else x, dtype=np.float64) for x in (left, right))
    if a.shape != b.shape:
        return False
    differs = ~((a == b) | (np.isnan(a) & np.isnan(b)))
    if not differs.any():
        return True
    finite = np.isfinite(a) & np.isfinite(b)
    return bool(finite[differs].all() and np.abs(a - b)[differs].max() <= loose * np.abs(b[finite]).max() + 1e-13)


def within(result, low, high) -> bool:
    """Whether all of a result lies between two numbers."""
    return bool((np.asarray(result) >= low).all() and (np.asarray(result) <= high).all())


def agree(result, expected, loose: float = 1e-9) -> bool:
    """Whether a result is what another way gives, entry by entry."""
    a, b = (np.asarray(x.detach() if isinstance(x, torch.Tensor) else x) for x in (result, expected))
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=loose, atol=loose * 1e-3, equal_nan=True))


def mentions(text: str, argument: str) -> bool:
    """Whether a sentence names an argument, as code or in words."""
    words = argument.rstrip("s").replace("_", " ")
    return re.search(rf"\b{words}", text.replace("_", " "), flags=re.I) is not None


def replicated(function: Callable) -> list[str]:
    """Names of a function's arguments with replicas on the leading axis, if its result has them too.

    The annotations say so: shapes that begin with R, and a list of generators, one for each replica.
    """
    hints = typing.get_type_hints(function)
    if not _leading(hints.pop("return", None)) == {"R"}:
        return []
    return [name for name, hint in hints.items() if "R" in _leading(hint) or hint == list[torch.Generator]]


def _leading(hint) -> set[str]:
    """First axes of all shapes inside an annotation."""
    if isinstance(shape := getattr(hint, "dim_str", None), str):
        return {shape.split()[0].lstrip("#*") if shape else ""}
    return set().union(*(_leading(part) for part in typing.get_args(hint)))
