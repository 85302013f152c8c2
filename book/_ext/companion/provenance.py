"""The page of runs: when, where and with which versions each chapter was executed."""

from docutils import nodes
from sphinx.application import Sphinx

from offconvex.book.publication import catalog

from .markup import Generated, heading, paragraph, section, table


def setup(app: Sphinx) -> None:
    app.add_directive("provenance-table", ProvenanceTable)


class ProvenanceTable(Generated):
    """One table of runs and one of versions."""

    def run(self) -> list[nodes.Node]:
        """Two sections."""
        records = {c: catalog.record(c.name, "provenance.json", self.root) for c in self.depend_on("provenance.json")}
        header = ["Chapter", "Duration", "Date (UTC)", "Commit", "Run", "Machine"]
        rows = [[[self.link(chapter.page, heading(chapter))], *self.facts(r)] for chapter, r in records.items()]
        runs = table(header, rows, classes="runs", widths=[5, 2, 3, 3, 3, 5])
        return [
            section([nodes.Text("Each chapter")], "chapters", runs),
            section([nodes.Text("Versions")], "versions", self.versions(records)),
        ]

    def facts(self, record: dict) -> list[list[nodes.Node | str]]:
        """Cells of one chapter's row."""
        if not record:
            return [["not executed yet"], *([["–"]] * 4)]
        date = record["date"][:16].replace("T", " ")
        commit = nodes.literal("", record["commit"][:10]) if record.get("commit") else "–"
        changed = [" and uncommitted changes"] if record.get("dirty") else []
        run = f"seed {record['seed']}, profile {record['profile']}"
        machine = f"{record['device']}; {record['cpu']}; {record['system']}; Python {record['python']}"
        return [[duration(record["duration_seconds"])], [date], [commit, *changed], [run], [machine]]

    def versions(self, records: dict[catalog.Chapter, dict]) -> nodes.Node:
        """One row per package; chapters are named only where they differ."""
        used: dict[str, dict[str, list[str]]] = {}
        for chapter, record in records.items():
            for package, version in record.get("packages", {}).items():
                used.setdefault(package, {}).setdefault(version, []).append(chapter.name)
        if not used:
            return paragraph("No chapter has been executed yet.")
        rows = []
        for package, versions in used.items():
            several = len(versions) > 1
            text = "; ".join(f"{v} ({', '.join(names)})" if several else v for v, names in versions.items())
            rows.append([[nodes.literal("", package)], [text]])
        return table(["Package", "Version"], rows, classes="versions", widths=[2, 3])


def duration(seconds: float) -> str:
    """Minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
