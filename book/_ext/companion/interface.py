"""The package's interface: every public name with its signature and docstring, read off the source."""

import re

from docutils import nodes
from sphinx.application import Sphinx

from offconvex.book.publication import api

from .markup import Generated, block, paragraph, section, span

LABELS = {"Args": "Arguments", "Attributes": "Fields"}


def setup(app: Sphinx) -> None:
    app.add_directive("interface", Interface)
    app.add_directive("interface-parts", InterfaceParts)


class Interface(Generated):
    """All modules of one part of the package, each a section."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """One section per module."""
        self.note_package()
        return [self.module(module) for module in api.modules(self.arguments[0])]

    def note_package(self) -> None:
        """Read the page again when a module changes."""
        for file in sorted(api.paths.PACKAGE.rglob("*.py")):
            self.env.note_dependency(str(file))

    def module(self, module: api.Module) -> nodes.section:
        """Its docstring and its names."""
        title = module.name.split(".")[-1]  # the part's name stands above: a telephone has no room for both
        entries = [self.entry(entry) for entry in module.entries]
        found = section([nodes.literal("", title)], module.name, *self.doc(module.doc), *entries)
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
        return block(
            signature, *self.doc(entry.doc), *members, classes=f"api-entry api-{entry.kind}", ids=(entry.name,)
        )

    def doc(self, text: str) -> list[nodes.Node]:
        """A docstring as paragraphs and lists of arguments."""
        found: list[nodes.Node] = []
        for name, content in api.sections(text):
            if not name:
                found += [paragraph(*self.words(piece)) for piece in content]
                continue
            found.append(paragraph(span(LABELS.get(name, name), classes="label"), classes="api-label"))
            items = [
                nodes.list_item("", paragraph(*([nodes.literal("", key), ": "] if key else []), *self.words(what)))
                for key, what in content
            ]
            found.append(nodes.bullet_list("", *items, classes=["api-fields"]))
        return found

    def words(self, text: str) -> list[nodes.Node]:
        """Plain text, in which only names between backticks and bib keys mean something: formulas stay as written."""
        found: list[nodes.Node] = []
        for piece in re.split(r"(`[^`]+`|\b[a-z]+\d{4}[a-z]+\d?\b)", text):
            if piece.startswith("`"):
                found.append(nodes.literal("", piece.strip("`")))
            elif piece in self.keys():
                found += self.inline(f"{{cite:t}}`{piece}`")
            elif piece:
                found.append(nodes.Text(piece))
        return found

    def keys(self) -> set[str]:
        """Keys of the bibliography."""
        if not hasattr(self.env, "offconvex_bib_keys"):
            files = [(self.root / file).read_text(encoding="utf-8") for file in self.config.bibtex_bibfiles]
            self.env.offconvex_bib_keys = set(re.findall(r"^@\w+\{([^,\s]+)", "\n".join(files), flags=re.MULTILINE))
        return self.env.offconvex_bib_keys


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
