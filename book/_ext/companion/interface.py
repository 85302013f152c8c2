"""The package's interface: every public name with its signature and docstring, read off the source."""

import re

from docutils import nodes
from sphinx.application import Sphinx

from offconvex.book.publication import api, moved

from .markup import Generated, block, paragraph, section, span


def setup(app: Sphinx) -> None:
    app.add_directive("interface", Interface)
    app.add_directive("interface-parts", InterfaceParts)


class Interface(Generated):
    """All modules of one part of the package, each a section."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """One section per module; a name that moved keeps its old address."""
        self.note_package()
        part = self.arguments[0]
        self.old: dict[str, list[str]] = {}
        left: list[nodes.Node] = []
        for old, new in moved.targets(moved.read(self.root)).items():
            if moved.part_of(old) == part == api.places()[new].part:
                self.old.setdefault(new, []).append(old)
            elif moved.part_of(old) == part:
                left.append(self.elsewhere(old, new))
        sections = [self.module(module, part) for module in api.modules(part)]
        return sections + ([section([nodes.Text("Moved")], "moved", nodes.bullet_list("", *left))] if left else [])

    def note_package(self) -> None:
        """Read the page again when a module changes."""
        for file in [*sorted(api.paths.PACKAGE.rglob("*.py")), self.root / "book" / moved.FILE]:
            self.env.note_dependency(str(file))

    def elsewhere(self, old: str, new: str) -> nodes.list_item:
        """The old address of a name that now stands on another page."""
        link = self.link(f"book/api/{api.places()[new].part}", "", anchor=new)
        link += nodes.literal("", new)
        return nodes.list_item("", paragraph(nodes.literal("", old), " is ", link), ids=[old])

    def module(self, module: api.Module, part: str) -> nodes.section:
        """Its docstring and its names."""
        # The part's name stands above: a telephone has no room for both.
        title = module.name.removeprefix("offconvex.").removeprefix(f"{part}.")
        entries = [self.entry(entry) for entry in module.entries]
        found = section([nodes.literal("", title)], module.name, *self.doc(module.doc), *entries)
        found["ids"] += self.old.get(module.name, [])
        found["support_smartquotes"] = False  # an empty text is "", and a tuple ends in three dots
        return found

    def entry(self, entry: api.Entry) -> nodes.container:
        """Signature and docstring, at the address of the dotted name."""
        prefix = {"class": "class "}.get(entry.kind, "")
        name = entry.name.split(".")[-1]
        # A name may wrap after an underscore and a signature anywhere between its words.
        signature = paragraph(
            span(prefix, classes="api-kind"), span(name, classes="api-name"), entry.signature, classes="api-signature"
        )
        members = [self.entry(member) for member in entry.members]
        kind, ids = f"api-entry api-{entry.kind}", (entry.name, *self.old.get(entry.name, ()))
        return block(signature, *self.doc(entry.doc), *members, classes=kind, ids=ids)

    def doc(self, sections: tuple[api.Section, ...]) -> list[nodes.Node]:
        """A docstring as paragraphs and lists of arguments."""
        found: list[nodes.Node] = []
        for label, items in sections:
            if not label:
                found += [paragraph(*self.words(text)) for _, text in items]
                continue
            listed = [
                nodes.list_item("", paragraph(*([nodes.literal("", name), ": "] if name else []), *self.words(text)))
                for name, text in items
            ]
            found.append(paragraph(span(label, classes="label"), classes="api-label"))
            found.append(nodes.bullet_list("", *listed, classes=["api-fields"]))
        return found

    def words(self, text: str) -> list[nodes.Node]:
        """Plain text, in which only names between backticks and bib keys mean something: formulas stay as written."""
        found: list[nodes.Node] = []
        for piece in re.split(r"(`[^`]+`|\b[a-z]+\d{4}[a-z]+\d?\b)", text):
            if piece.startswith("`"):
                found.append(nodes.literal("", piece.strip("`")))
            elif piece in self.bibliography():
                found += self.inline(f"{{cite:t}}`{piece}`")
            elif piece:
                found.append(nodes.Text(piece))
        return found


class InterfaceParts(Interface):
    """The parts of the package, one sentence each."""

    required_arguments = 0

    def run(self) -> list[nodes.Node]:
        """A list of links."""
        self.note_package()
        items = []
        for part, sentence in api.parts().items():
            listed = api.modules(part)
            count = sum(len(module.entries) for module in listed)
            name = self.link(f"book/api/{part}", part)
            facts = paragraph(f"{count} names in {len(listed)} modules", classes="claim-facts")
            items.append(nodes.list_item("", paragraph(name, ". ", *self.words(sentence)), facts))
        return [block(nodes.bullet_list("", *items), classes="claim-list")]
