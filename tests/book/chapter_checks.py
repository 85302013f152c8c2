"""What every chapter must keep to, as functions that return the faults they find."""

import ast
import re

from offconvex import paths
from offconvex.book.execution import chapters, code

MAX_LINES, MAX_COLUMNS, MAX_DEF_LINES = 12, 120, 5
MAX_CODE_CELLS, MAX_FIGURES, MAX_FURTHER_FIGURES = 25, 8, 4  # the first two are those of the argument
MODEL_LINES, MAX_PRINTED = range(10, 19), 10
ASIDE = {"model", "model-check", "further"}  # tags of cells that do not belong to the argument
FIRST_EDITION = 297  # addresses of the first edition, at the head of book/published_ids.txt: its figures do not count
FORBIDDEN = ("rcParams", "manual_seed", "%pip", "!pip", "pathlib", "open(")
CALL = re.compile(r"claims\.(check|control)\(\s*\"([^\"]+)\"")
SAVE = re.compile(r"figures\.save\([^,]+,\s*\"([^\"]+)\"")


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def checked_ids(notebook, call="check") -> list[str]:
    return [id for cell in code_cells(notebook) for kind, id in CALL.findall(cell.source) if kind == call]


def saved_figures(notebook) -> list[str]:
    return [id for cell in code_cells(notebook) for id in SAVE.findall(cell.source)]


def tags(cell) -> set[str]:
    return set(cell.metadata.get("tags", ()))


def first_edition_figures() -> set[str]:
    """Figures that were published before chapters had a limit."""
    lines = (paths.project_root() / "book/published_ids.txt").read_text().splitlines()
    addresses = [line for line in lines if line and not line.startswith("#")]
    return {line.removeprefix("figure:") for line in addresses[:FIRST_EDITION] if line.startswith("figure:")}


def shape_faults(notebook) -> list[str]:
    """Length of cells, text before code, no definitions or settings that belong in the package."""
    found = []
    if len([cell for cell in code_cells(notebook) if not tags(cell) & ASIDE]) > MAX_CODE_CELLS:
        found.append(f"more than {MAX_CODE_CELLS} code cells in the argument")
    for before, cell in zip([None, *notebook.cells], notebook.cells):
        if cell.cell_type != "code":
            continue
        head, lines = cell.source.strip().splitlines()[0], cell.source.splitlines()
        if before is None or before.cell_type != "markdown":
            found.append(f"no text before the cell `{head}`")
        if "model" not in tags(cell) and len([line for line in lines if line.strip()]) > MAX_LINES:
            found.append(f"more than {MAX_LINES} lines in the cell `{head}`")
        if max(map(len, lines)) > MAX_COLUMNS:
            found.append(f"more than {MAX_COLUMNS} columns in the cell `{head}`")
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.ClassDef):
                found.append(f"a class in the cell `{head}`")
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno + 1 > MAX_DEF_LINES:
                found.append(f"a function of more than {MAX_DEF_LINES} lines in the cell `{head}`")
        found += [f"`{word}` in the cell `{head}`" for word in FORBIDDEN if word in cell.source]
    return found


def model_faults(notebook) -> list[str]:
    """The cell that shows the model in NumPy alone, for itself, and what it and the others print."""
    found, models = [], [cell for cell in code_cells(notebook) if "model" in tags(cell)]
    if len(models) != 1:
        found.append(f"{len(models)} model cells; a chapter shows one")
    for cell in models:
        lines = [line for line in cell.source.splitlines() if line.strip()]
        if len(lines) not in MODEL_LINES:
            found.append(f"a model cell of {len(lines)} lines, not {MODEL_LINES[0]} to {MODEL_LINES[-1]}")
        if wrong := _imports(cell) - {"numpy"}:
            found.append(f"the model cell imports {', '.join(sorted(wrong))}")
    aside = [cell for cell in code_cells(notebook) if tags(cell) & code.MODEL]
    rest = [cell for cell in code_cells(notebook) if not tags(cell) & code.MODEL]
    defined = set().union(*(_names(cell, ast.Store) for cell in aside))
    if shared := defined & set().union(*(_names(cell, (ast.Load, ast.Store)) for cell in rest)):
        found.append(f"the model cell defines {', '.join(sorted(shared))}, which the chapter uses")
    for before, cell in zip([None, *code_cells(notebook)], code_cells(notebook)):
        printed = "".join(o.get("text", "") for o in cell.get("outputs", ())).splitlines()
        if "model-check" in tags(cell) and (before is None or "model" not in tags(before)):
            found.append("a model-check that does not follow the model cell")
        if "model" in tags(cell) and len(printed) > MAX_PRINTED:
            found.append(f"the model cell prints more than {MAX_PRINTED} lines")
        if "model" not in tags(cell):
            found += [
                f"a cell prints `{line}`"
                for line in printed
                if not re.fullmatch(r"✓ \S+( fails on its control)?", line)
            ]
    return found


def _imports(cell) -> set[str]:
    nodes = list(ast.walk(ast.parse(cell.source)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return {name.split(".")[0] for name in names + [n.module for n in nodes if isinstance(n, ast.ImportFrom)]}


def _names(cell, context) -> set[str]:
    """Names that a cell binds or reads, those of functions included."""
    nodes = list(ast.walk(ast.parse(cell.source)))
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, context)}
    return names | {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


def figure_faults(notebook) -> list[str]:
    """Every saved figure is captioned, named by its own id, and described for those who do not see it."""
    further = [id for cell in code_cells(notebook) if "further" in tags(cell) for id in SAVE.findall(cell.source)]
    found = [f"more than {MAX_FURTHER_FIGURES} further figures"] if len(further) > MAX_FURTHER_FIGURES else []
    if len(set(saved_figures(notebook)) - set(further) - first_edition_figures()) > MAX_FIGURES:
        found.append(f"more than {MAX_FIGURES} new figures in the argument")
    for cell in code_cells(notebook):
        saved = SAVE.findall(cell.source)
        mystnb = cell.metadata.get("mystnb", {})
        figure, alt = mystnb.get("figure", {}), mystnb.get("image", {}).get("alt", "")
        if len(saved) > 1:
            found.append(f"two figures in one cell: {saved}")
        if bool(saved) != bool(figure):
            found.append(
                f"a figure saved without caption and name, or captioned without being saved: {saved or figure}"
            )
        for id in saved:
            if figure.get("name") != id:
                found.append(f"{id}: the name in the cell's metadata is {figure.get('name')!r}")
            if len(figure.get("caption", "").split()) < 8:
                found.append(f"{id}: no caption that states a finding")
            if len(str(alt).split()) < 6:
                found.append(f"{id}: no alt text that states the finding")
    return found


def step_faults(notebook, fresh) -> list[str]:
    """Whether the committed notebook is the one its source gives."""
    pairs = list(zip(notebook.cells, fresh.cells))
    found = [f"cell {new.id} differs from the source" for old, new in pairs if _identity(old) != _identity(new)]
    if len(notebook.cells) != len(fresh.cells):
        found.append(f"{len(notebook.cells)} cells, but the source has {len(fresh.cells)}")
    return found


def claim_faults(notebook, stored: dict, registry: dict, chapter: str) -> list[str]:
    """Every claim of the chapter is checked once, measured, holds, and its stored bound is today's."""
    found = []
    called, expected = checked_ids(notebook), {id for id, claim in registry.items() if claim.chapter == chapter}
    found += [f"{id}: checked more than once" for id in set(called) if called.count(id) > 1]
    found += [f"{id}: not in claims.toml for this chapter" for id in sorted(set(called) - expected)]
    found += [f"{id}: in claims.toml, but not checked" for id in sorted(expected - set(called))]
    found += [f"{id}: no measured value, or measured by nobody" for id in sorted(set(stored) ^ expected)]
    for id in sorted(set(stored) & expected):
        claim, record = registry[id], stored[id]
        bounds = {m.name: m.bound for m in claim.measures}
        bounds = bounds[""] if set(bounds) == {""} else bounds
        if record["bound"] != bounds or record["kind"] != claim.kind or record["scale"] != claim.scale:
            found.append(f"{id}: claims.toml changed after the chapter was executed")
        if record["holds"] is not True or record.get("control_fails", True) is not True:
            found.append(f"{id}: does not hold, or holds on its control")
        if claim.figure and claim.figure not in saved_figures(notebook):
            found.append(f"{id}: its figure {claim.figure} is not in the chapter")
    return found


def parameter_faults(notebook) -> list[str]:
    """The parameters that every chapter offers."""
    defaults = chapters.default_parameters(notebook)
    wanted = {"seed": 0, "device": "cpu", "profile": "default"}
    return [f"parameter {k} must default to {v!r}" for k, v in wanted.items() if defaults.get(k) != v]


def _identity(cell):
    return cell.cell_type, cell.id, cell.source, dict(cell.metadata)
