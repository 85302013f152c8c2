"""The package's public names, read off its source: what the interface pages show and what the property tests cover."""

import functools
import re
from dataclasses import dataclass, field

import griffe

from offconvex import paths

INSTRUMENTS = "instruments"
"""Name of the part that holds the modules which every room shares."""

Section = tuple[str, tuple[tuple[str, str], ...]]
"""A piece of a docstring: its label, "" for plain text, and its items, each a name ("" without one) and a text."""

LABELS = {"parameters": "Arguments", "attributes": "Fields"}
STYLE = {"returns_multiple_items": False, "returns_named_value": True, "warnings": False}


@dataclass(frozen=True)
class Entry:
    """A public function, class, method or property.

    Attributes:
        name: dotted from the package on: "offconvex.rng.generator".
        kind: "function", "class", "method" or "property".
        signature: "(seed: int, *stream: str | int) -> torch.Generator".
        arguments: their names.
        doc: docstring in pieces.
        line: of its source in the module's file.
        members: public methods and properties of a class.
    """

    name: str
    kind: str
    signature: str
    arguments: tuple[str, ...]
    doc: tuple[Section, ...]
    line: int
    members: tuple["Entry", ...] = field(default=())


@dataclass(frozen=True)
class Module:
    """A module with at least one public name, or a sub-room.

    Attributes:
        name: "offconvex.rng".
        doc: its docstring in pieces.
        file: below the folder that holds the package: "offconvex/rng.py".
        entries: in the order of the source; none for a sub-room.
    """

    name: str
    doc: tuple[Section, ...]
    file: str
    entries: tuple[Entry, ...]

    def every_entry(self) -> dict[str, Entry]:
        """Its entries and their members by dotted name."""
        return {entry.name: entry for top in self.entries for entry in (top, *top.members)}


@dataclass(frozen=True)
class Place:
    """Where a name of the package stands.

    Attributes:
        part: whose interface page shows it.
        file: below the folder that holds the package.
        line: in that file.
    """

    part: str
    file: str
    line: int


@functools.cache
def package() -> griffe.Module:
    """The package's syntax; nothing of it is imported."""
    return griffe.load("offconvex", search_paths=[paths.PACKAGE.parent], allow_inspection=False, submodules=True)


@functools.cache
def parts() -> dict[str, str]:
    """The parts of the package and one sentence on each: the shared instruments first, then every room, by name."""
    rooms = [module for module in _own(package()) if module.is_subpackage and module.name != "data"]
    return {INSTRUMENTS: _text(package())} | {room.name: _text(room) for room in sorted(rooms, key=lambda r: r.name)}


@functools.cache
def modules(part: str) -> tuple[Module, ...]:
    """The modules of a part by name, "plots" last, since they only draw; then its sub-rooms, each in the same order.

    Raises:
        ValueError: if there is no such part.
    """
    if part not in parts():
        raise ValueError(f"no part {part!r}; the parts are: {', '.join(parts())}.")
    if part == INSTRUMENTS:
        return _modules(package(), [module for module in _own(package()) if not module.is_subpackage])
    return _modules(package()[part], _own(package()[part]))


@functools.cache
def places() -> dict[str, Place]:
    """Every name that the interface pages show, modules and members of classes included, by its dotted name."""
    found = {}
    for part in parts():
        for module in modules(part):
            found[module.name] = Place(part, module.file, 1)
            found |= {name: Place(part, module.file, entry.line) for name, entry in module.every_entry().items()}
    return found


def _modules(room: griffe.Module, inside: list[griffe.Module]) -> tuple[Module, ...]:
    ordered = sorted(inside, key=lambda m: (m.is_subpackage, "plots" in m.name, m.name))
    found = []
    for module in ordered:
        below = _modules(module, _own(module)) if module.is_subpackage else ()
        shown = Module(module.path, _sections(module), module.relative_package_filepath.as_posix(), _entries(module))
        found += [shown, *below] if shown.entries or below else []
    return tuple(found)


def _own(module: griffe.Module) -> list[griffe.Module]:
    return [member for member in module.members.values() if not member.is_alias and member.is_module]


def _entries(parent: griffe.Object) -> tuple[Entry, ...]:
    wanted = [m for m in parent.members.values() if not m.is_alias and not m.name.startswith("_")]
    if parent.is_class:
        shown = [m for m in wanted if (m.is_function or "property" in m.labels) and m.has_docstring]
    else:
        shown = [m for m in wanted if m.is_function or m.is_class]
    return tuple(_entry(member) for member in shown)


def _entry(item: griffe.Object) -> Entry:
    members, doc = _entries(item) if item.is_class else (), _sections(item)
    if item.is_attribute:
        returned = f" -> {item.annotation}" if item.annotation else ""
        return Entry(item.path, "property", returned, (), doc, item.lineno, members)
    kind = "class" if item.is_class else "method" if item.parent.is_class else "function"
    arguments = [parameter for parameter in item.parameters if parameter.name not in ("self", "cls")]
    return Entry(item.path, kind, _signature(item), tuple(p.name for p in arguments), doc, item.lineno, members)


def _signature(item: griffe.Function | griffe.Class) -> str:
    text = re.sub(r"^\w+\((?:(?:self|cls)(?:, )?)?", "(", item.signature())
    text = re.sub(r"\(lambda: (.*?)\)\(\)(?=[,)])", r"\1", text)  # a default that is made anew
    return "" if item.is_class and text == "()" else text


def _text(module: griffe.Module) -> str:
    return " ".join(module.docstring.value.split()) if module.docstring else ""


def _sections(item: griffe.Object) -> tuple[Section, ...]:
    if not item.docstring:
        return ()
    found: list[Section] = []
    for section in item.docstring.parse("google", **STYLE):
        if section.kind is griffe.DocstringSectionKind.text:
            found += [("", (("", _joined(block)),)) for block in re.split(r"\n\s*\n", section.value)]
        else:
            label = LABELS.get(section.kind.value, section.kind.value.capitalize())
            found.append((label, tuple((_name(element), _joined(element.description)) for element in section.value)))
    return tuple(found)


def _name(element: griffe.DocstringElement) -> str:
    return str(element.annotation).strip("()") if isinstance(element, griffe.DocstringRaise) else element.name


def _joined(text: str) -> str:
    return " ".join(text.split())
