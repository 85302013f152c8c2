"""The release archive: the book's files at one commit, its pages for reading offline, and a description of both.

The description follows RO-Crate, a format in which archives say what is in them: each chapter's notebook with the run
that made it, each figure with its finding, authors and licenses.
"""

import io
import json
import tarfile
import tempfile
from itertools import chain
from pathlib import Path

import yaml
from rocrate.model import ContextEntity
from rocrate.rocrate import ROCrate

from offconvex import __version__, files, paths
from offconvex.book import repository
from offconvex.book.publication import catalog, cite, offline

METADATA = "ro-crate-metadata.json"
PAGES = "html"


def make(folder: Path | None = None) -> Path:
    """Write the archive of the present commit; return its path.

    Args:
        folder: where it goes, by default `_build/release`.

    Raises:
        ValueError: if the checkout differs from its commit, because the archive holds the commit's files; or if no
            pages are built.
    """
    root = paths.require_project_root()
    html = paths.build_folder() / "html"
    if not (html / "book" / "index.html").exists():
        raise ValueError("a release holds the built pages, and there are none in _build/html; run `make html` first.")
    commit, changed = repository.commit(root), repository.changes(root)
    if commit is None or changed is None:
        raise ValueError("a release is made of a commit; this needs git and the book's repository.")
    if changed:
        raise ValueError(f"a release is made of a commit; commit or remove first: {changed[0].strip()}.")
    name = f"offconvex-{__version__}-{commit[:12]}"
    folder = folder or paths.build_folder() / "release"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        stage = Path(scratch)
        with tarfile.open(
            fileobj=io.BytesIO(repository.ask(root, "archive", "--format=tar", commit) or b"")
        ) as archive:
            archive.extractall(stage, filter="data")
        described = describe(stage, commit)
        pages = {
            f"{PAGES}/{file.relative_to(html)}": file
            for file in html.rglob("*")
            if file.is_file() and file.name != offline.ARCHIVE
        }
        own = {str(file.relative_to(stage)): file for file in stage.rglob("*") if file.is_file()}
        about = (json.dumps(described, indent=1, ensure_ascii=False) + "\n").encode()
        contents = ((f"{name}/{place}", file.read_bytes()) for place, file in sorted((own | pages).items()))
        return files.write_archive(folder / f"{name}.zip", chain([(f"{name}/{METADATA}", about)], contents))


def describe(root: Path, commit: str) -> dict:
    """RO-Crate metadata of a book's files below `root`."""
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    crate = ROCrate()
    authors = [
        _entity(crate, f"#author-{i}", "Organization", name=a["name"]) for i, a in enumerate(citation["authors"])
    ]
    crate.name, crate.description = citation["title"], citation["abstract"]
    crate.keywords, crate.datePublished = citation["keywords"], str(citation["date-released"])
    crate.creator, crate.root_dataset["version"] = authors, str(citation["version"])
    crate.license = [_license(crate, name) for name in citation["license"]]
    package = _entity(
        crate, "#offconvex", "SoftwareSourceCode", name="offconvex", version=__version__, identifier=commit
    )
    crate.add_directory(root / "src", "src/", properties={"name": "the package that the chapters run"})
    for chapter in catalog.chapters(root):
        _chapter(crate, root, chapter, package)
    return crate.metadata.generate()


def _chapter(crate: ROCrate, root: Path, chapter: catalog.Chapter, package: ContextEntity) -> None:
    provenance = catalog.record(chapter.name, "provenance.json", root)
    source, notebook = f"book/sources/{chapter.name}.md", f"{chapter.page}.ipynb"
    made = [_file(crate, root, notebook, name=chapter.title, encodingFormat="application/x-ipynb+json")]
    for figure in chapter.figures:
        vector = f"book/results/{chapter.name}/{figure.id}.pdf"
        finding = cite.plain(catalog.first_sentence(figure.caption))
        about = {"name": f"Figure {figure.number}", "identifier": figure.id, "description": finding}
        made.append(_file(crate, root, vector, encodingFormat="application/pdf", **about))
    run = _entity(
        crate,
        f"#run-{chapter.name}",
        "CreateAction",
        name=f"execution of {chapter.name}, seed {provenance.get('seed')}",
        endTime=provenance.get("date"),
        description=f"commit {provenance.get('commit')}, {provenance.get('duration_seconds')} s",
    )
    run["instrument"] = package
    run["object"] = _file(crate, root, source, encodingFormat="text/markdown")
    run["result"] = made


def _file(crate: ROCrate, root: Path, place: str, **properties: str):
    return crate.add_file(root / place, place, properties=properties)


def _entity(crate: ROCrate, id: str, kind: str, **properties: object) -> ContextEntity:
    return crate.add(ContextEntity(crate, id, properties={"@type": kind} | properties))


def _license(crate: ROCrate, name: str) -> ContextEntity:
    return _entity(crate, f"https://spdx.org/licenses/{name}", "CreativeWork", name=name)
