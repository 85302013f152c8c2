"""The package's public names, read off its source: what the interface pages show and what the property tests cover."""

import ast
import inspect
import re
from dataclasses import dataclass, field
from pathlib import Path

from offconvex import paths

INSTRUMENTS = "instruments"
"""Name of the part that holds the modules which every room shares."""

SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Yields):")


@dataclass(frozen=True)
class Entry:
    """A public function, class or method.

    Attributes:
        name: dotted from the package on: "offconvex.rng.generator".
        kind: "function", "class" or "method".
        signature: "(seed: int, *stream: str | int) -> torch.Generator"; empty for a class that is only a record.
        doc: docstring without indentation.
        members: public methods and properties of a class.
    """

    name: str
    kind: str
    signature: str
    doc: str
    members: tuple["Entry", ...] = field(default=())


@dataclass(frozen=True)
class Module:
    """A module with at least one public name.

    Attributes:
        name: "offconvex.rng".
        doc: its docstring.
        entries: in the order of the source.
    """

    name: str
    doc: str
    entries: tuple[Entry, ...]


def parts() -> dict[str, str]:
    """The parts of the package and one sentence on each: the shared instruments first, then every room, by name."""
    found = {INSTRUMENTS: _docstring(paths.PACKAGE / "__init__.py")}
    for file in sorted(paths.PACKAGE.glob("*/__init__.py")):
        if file.parent.name != "data":
            found[file.parent.name] = _docstring(file)
    return found


def modules(part: str) -> list[Module]:
    """The modules of a part, by name; "plots" last, since they only draw.

    Raises:
        ValueError: if there is no such part.
    """
    if part not in parts():
        raise ValueError(f"no part {part!r}; the parts are: {', '.join(parts())}.")
    folder = paths.PACKAGE if part == INSTRUMENTS else paths.PACKAGE / part
    files = folder.glob("*.py") if part == INSTRUMENTS else folder.rglob("*.py")
    files = sorted(files, key=lambda file: (file.parent, "plots" in file.stem, file.stem))
    return [module for file in files if (module := _module(file)).entries]


def _module(file: Path) -> Module:
    syntax = ast.parse(file.read_text(encoding="utf-8"))
    name = ".".join(("offconvex", *file.relative_to(paths.PACKAGE).with_suffix("").parts))
    entries = tuple(_entry(node, name) for node in syntax.body if _public(node))
    return Module(name, inspect.cleandoc(ast.get_docstring(syntax) or ""), entries)


def _public(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")


def _entry(node: ast.FunctionDef | ast.ClassDef, prefix: str, *, inside: bool = False) -> Entry:
    name, doc = f"{prefix}.{node.name}", inspect.cleandoc(ast.get_docstring(node) or "")
    if isinstance(node, ast.FunctionDef):
        is_property = any(ast.unparse(d).endswith("property") for d in node.decorator_list)
        return Entry(
            name, "method" if inside else "function", _returned(node) if is_property else _signature(node), doc
        )
    methods = [n for n in node.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")]
    fields = [n for n in node.body if isinstance(n, ast.AnnAssign)]
    signature = f"({', '.join(ast.unparse(n) for n in fields)})" if fields else ""
    members = tuple(_entry(n, name, inside=True) for n in methods if ast.get_docstring(n))
    return Entry(name, "class", signature.replace(" = ", "="), doc, members)


def _signature(node: ast.FunctionDef) -> str:
    arguments = ast.unparse(node.args)
    arguments = re.sub(r"^(self|cls)(, )?", "", arguments)
    return f"({arguments}){_returned(node)}"


def _returned(node: ast.FunctionDef) -> str:
    return f" -> {ast.unparse(node.returns)}".replace("'", "") if node.returns else ""


def _docstring(file: Path) -> str:
    return inspect.cleandoc(ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "")


def sections(doc: str) -> list[tuple[str, list[str] | list[tuple[str, str]]]]:
    """A docstring in pieces: ("", paragraphs) for text, and ("Args", pairs of name and explanation) for the rest."""
    found: list = [("", [])]
    for block in re.split(r"\n\s*\n", doc):
        lines = block.splitlines()
        match = SECTION.fullmatch(lines[0].strip()) if lines else None
        if match:
            found.append((match[1], _pairs(lines[1:])))
        elif lines:
            found.append(("", [" ".join(line.strip() for line in lines)]))
    return [(name, content) for name, content in found if content]


def _pairs(lines: list[str]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    indent = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    for line in lines:
        match = re.match(r"([\w*`.]+(?: \([^)]*\))?): (.*)", line.strip())
        if len(line) - len(line.lstrip()) == indent and match:
            pairs.append((match[1], match[2]))
        elif pairs and len(line) - len(line.lstrip()) > indent:
            pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]} {line.strip()}")
        elif pairs and not pairs[-1][0]:
            pairs[-1] = ("", f"{pairs[-1][1]} {line.strip()}")
        else:
            pairs.append(("", line.strip()))
    return pairs
