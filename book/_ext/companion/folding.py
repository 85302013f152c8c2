"""Code that sets up, runs, draws or checks is folded below what it made; the model cell stays in view."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from offconvex.book.execution import code
from offconvex.book.publication import catalog
from offconvex.book.reading import cells


class fold(nodes.General, nodes.Element):  # noqa: N801, D101 (docutils names nodes so)
    pass


def setup(app: Sphinx) -> None:
    app.add_node(fold, html=(visit, depart))
    app.connect("doctree-read", fold_cells)


def visit(writer, node: fold) -> None:
    hidden = f'<span class="visually-hidden">{escape(node["hidden"])}</span>' if node["hidden"] else ""
    label = f"<summary>{escape(node['label'])}{hidden}</summary>"
    writer.body.append(f'<details class="{" ".join(["fold", *node["classes"]])}">{label}\n')


def depart(writer, _node: fold) -> None:
    writer.body.append("</details>\n")


def folded(label: str, *children: nodes.Node, hidden: str = "", classes: str = "") -> fold:
    """A fold that needs no script.

    Args:
        label: what it holds.
        children: its content.
        hidden: what tells it from others with the same label, for those who hear the page.
        classes: classes of the element.
    """
    return fold("", *children, label=label, hidden=hidden, classes=classes.split())


def fold_cells(app: Sphinx, document: nodes.document) -> None:
    if Path(app.env.docname).parent.name != "chapters":
        return
    made = code_cells(document)
    numbers = {id: figure.number for id, figure in catalog.figures(Path(app.srcdir)).items()}
    purposes = read_purposes(made)
    set_up = set_up_cells(made, purposes)
    for cell, purpose in zip(made, purposes):
        if code.SHOWN in tags(cell) or cell in set_up:
            continue
        text = source(cell)
        cell.remove(text)
        label, hidden = names(purpose, numbers)
        cell.append(folded(label, text, hidden=hidden, classes="fold-code"))
    if set_up:
        parent = set_up[0].parent
        start, end = parent.index(set_up[0]), parent.index(set_up[-1]) + 1
        label = "Set-up: parameters, precision, imports"
        parent[start:end] = [folded(label, *parent[start:end], classes="fold-code fold-set-up")]


def code_cells(document: nodes.document) -> list[nodes.container]:
    """The code cells of a page, in order."""
    found = [node for node in document.findall(nodes.container) if node.get("nb_element") == "cell_code"]
    return [cell for cell in found if source(cell) is not None]


def source(cell: nodes.container) -> nodes.container | None:
    """The part of a cell that shows its code."""
    return next((part for part in cell.children if part.get("nb_element") == "cell_code_source"), None)


def read_purposes(made: Sequence[nodes.container]) -> list[cells.Purpose]:
    """What each code cell of a page is for."""
    return cells.purposes([next(source(cell).findall(nodes.literal_block)).astext() for cell in made])


def tags(cell: nodes.container) -> set[str]:
    """Tags of a cell in the notebook."""
    return set(cell["cell_metadata"].get("tags", ()))


def set_up_cells(made: Sequence[nodes.container], purposes: Sequence[cells.Purpose]) -> list[nodes.container]:
    """The cells from the parameters to the one that opens the chapter; none if they are not in one section."""
    first = next((i for i, cell in enumerate(made) if "parameters" in tags(cell)), None)
    last = next((i for i, purpose in enumerate(purposes) if purpose.begins), None)
    if first is None or last is None or made[first].parent is not made[last].parent:
        return []
    return list(made[first : last + 1])


def names(purpose: cells.Purpose, numbers: dict[str, str]) -> tuple[str, str]:
    """Label of a cell's fold, and what only its accessible name adds."""
    drawn = " and ".join(f"Fig. {numbers.get(id) or id}" for id in purpose.figures)
    judged = tuple(dict.fromkeys((*purpose.checks, *purpose.controls)))
    if drawn and judged:
        return f"Code of {drawn} and its check", ""
    if drawn:
        return f"Code of {drawn}", ""
    if judged:
        return f"Code of this {'check' if purpose.checks else 'control'}", f": {', '.join(judged)}"
    return "Code of this run", f": {', '.join(purpose.names)}" if purpose.names else ""
