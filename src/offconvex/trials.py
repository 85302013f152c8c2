"""What was tried on the way to a study: every setting that was looked at, in order, read from trials.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from offconvex import configs, paths

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

AnySetting = TypeVar("AnySetting", bound="DataclassInstance")


@dataclass(frozen=True)
class TriedSetting(Generic[AnySetting]):
    """One setting, and the networks that it was tried on.

    Attributes:
        name: what its result is stored under.
        study: the stored experiment whose settings were fixed after it.
        setting: what was trained, and how.
        networks: numbers of the networks.
        seed: of their data, starts and batches.
    """

    name: str
    study: str
    setting: AnySetting
    networks: tuple[int, ...]
    seed: int


def load(experiment: str, base: AnySetting, path: Path | None = None) -> tuple[TriedSetting[AnySetting], ...]:
    """What a stored experiment ran, in the order in which it was tried.

    Args:
        experiment: its name, a table of the file.
        base: the setting from which the entries say their departures.
        path: of the file, by default the book's.

    Raises:
        ValueError: if there is no such file or table, or an entry is malformed; the message names it.
    """
    try:
        tables = tomllib.loads((path or paths.book_file("trials.toml")).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"trials.toml cannot be read: {error}") from None
    if experiment not in tables:
        raise ValueError(f"trials.toml knows {', '.join(tables)}; got {experiment!r}.")
    table, where = tables[experiment], f"trials.toml, {experiment}"
    _check(where, table, {"study": str, "all": dict, "seed": int, "networks": list, "trials": list})
    common = _varied(f"{where}, all", base, table["all"])
    found = tuple(
        _parse(f"{where}, trial {place}", entry, table, common) for place, entry in enumerate(table["trials"], 1)
    )
    names = [trial.name for trial in found]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"{where}: there must be a trial, and no two of one name; got {', '.join(names)}.")
    return found


def _parse(where: str, entry: Any, table: Mapping, base: AnySetting) -> TriedSetting[AnySetting]:
    _check(where, entry, {"name": str}, more=True)
    where, entry = f"{where} ({entry['name']})", {"seed": table["seed"], "networks": table["networks"]} | entry
    _check(where, entry, {"seed": int, "networks": list}, more=True)
    networks = tuple(entry["networks"])
    if not networks or any(type(n) is not int or n < 0 for n in networks) or len(set(networks)) < len(networks):
        raise ValueError(f"{where}: `networks` are numbers from 0, none twice; got {entry['networks']}.")
    changes = {name: value for name, value in entry.items() if name not in ("name", "seed", "networks")}
    return TriedSetting(entry["name"], table["study"], _varied(where, base, changes), networks, entry["seed"])


def _varied(where: str, base: AnySetting, changes: Mapping[str, object]) -> AnySetting:
    try:
        return configs.varied(base, **changes)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _check(where: str, entry: object, kinds: Mapping[str, type], *, more: bool = False) -> None:
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: must be a table; got {entry!r}.")
    for name, kind in kinds.items():
        if type(entry.get(name)) is not kind:
            raise ValueError(f"{where}: `{name}` must be given, of type {kind.__name__}; got {entry.get(name)!r}.")
    if not more and set(entry) != set(kinds):
        raise ValueError(f"{where}: keys are {', '.join(kinds)}; got {', '.join(entry)}.")
