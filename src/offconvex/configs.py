"""Settings: whole numbers, and records that hold other records, with changes or all of their settings in one level."""

import dataclasses
import operator
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

AnyRecord = TypeVar("AnyRecord", bound="DataclassInstance")


def whole(value: object, name: str, *, least: int = 0) -> int:
    """A whole number as Python's own, whichever library made it.

    Args:
        value: such as 3 or np.int64(3).
        name: what the sentence calls it.
        least: 0 or 1, the least that it may be.

    Raises:
        ValueError: if it is less or no integer; a truth value is none.
    """
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, bool):
        raise ValueError(f"`{name}` must be a {'positive' if least else 'non-negative'} integer; got {value!r}.")
    return number


def varied(record: AnyRecord, /, **changes: object) -> AnyRecord:
    """The record with some fields changed; a field that is itself a record takes a mapping of changes of its own.

    Args:
        record: frozen dataclass.
        changes: by field, of the type that the field has; a list stands for a tuple, a whole number for a float, and
            a number of NumPy's for the same of Python's.

    Raises:
        ValueError: if there is no such field, or its value is of another type; and what the record itself refuses.
    """
    kind = type(record).__name__
    known = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    made: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in known:
            raise ValueError(f"{kind} has no {name!r}; it has {', '.join(known)}.")
        old, value = known[name], _own(value)
        if dataclasses.is_dataclass(old) and isinstance(value, Mapping):
            value = varied(known[name], **value)
        elif isinstance(old, tuple) and isinstance(value, list):
            value = tuple(value)
        elif isinstance(old, float) and type(value) is int:
            value = float(value)
        if type(value) is not type(old):
            raise ValueError(f"`{name}` of {kind} is of the type of {old!r}; got {value!r}.")
        made[name] = value
    return dataclasses.replace(record, **made)


def flat(config: Any, names: Sequence[str]) -> dict[str, object]:
    """Settings of a config that holds records, in one level: how a stored result knows them.

    A setting that is not named is the same for all results; should it ever depart from the default of the config's
    class, it stands behind the others under its whole path, so that different configs are told apart.

    Args:
        config: frozen dataclass whose fields all have defaults.
        names: dotted paths of its settings, such as "schedule.epochs", each known by its last part; a record that is
            named stays in one piece, as a mapping.
    """
    every, usual = _leaves(config), _leaves(type(config)())
    inside = tuple(f"{name}." for name in names)
    others = [name for name in every if name not in names and not name.startswith(inside)]
    departing = {name: every[name] for name in others if every[name] != usual.get(name)}
    return {name.rpartition(".")[2]: _told(operator.attrgetter(name)(config)) for name in names} | departing


def _own(value: object) -> object:
    # NumPy's numbers are no JSON, and of no type that a field has.
    if isinstance(value, list):
        return [_own(part) for part in value]
    return value.item() if isinstance(value, np.generic) else value


def _told(value: Any) -> object:
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value


def _leaves(record: Any) -> dict[str, object]:
    found: dict[str, object] = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        inner = _leaves(value) if dataclasses.is_dataclass(value) else None
        found |= {field.name: value} if inner is None else {f"{field.name}.{name}": x for name, x in inner.items()}
    return found
