"""The release archive: the book's files at one commit, its pages for reading offline, and a description of both.

The description follows RO-Crate, a format in which archives say what is in them: each chapter's notebook with the run
that made it, each figure with its finding, authors and licenses. How runs are told follows its profile for them, the
Process Run Crate.
"""

import datetime
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
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
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
    crate = ROCrate(version="1.1")  # the one that the profile builds on
    authors = [
        _entity(crate, f"#author-{i}", "Organization", name=a["name"], **_home(root))
        for i, a in enumerate(citation["authors"])
    ]
    crate.name, crate.description = citation["title"], citation["abstract"]
    crate.keywords, crate.datePublished = citation["keywords"], str(citation["date-released"])
    crate.creator = crate.publisher = crate.root_dataset["author"] = _one_or_all(authors)
    crate.root_dataset["version"] = str(citation["version"])
    crate.root_dataset["identifier"] = cite.swhid(commit)
    crate.root_dataset["conformsTo"] = _entity(
        crate, PROFILE, "CreativeWork", name="Process Run Crate", version=PROFILE.rpartition("/")[2]
    )
    crate.license = [_license(crate, name) for name in citation["license"]]
    crate.add_directory(root / "src", "src/", properties={"name": "the package that the chapters run"})
    runs = [_run(crate, root, chapter, authors) for chapter in catalog.chapters(root)]
    crate.root_dataset["mentions"] = _one_or_all([run for run in runs if run])
    return crate.metadata.generate()


def _run(crate: ROCrate, root: Path, chapter: catalog.Chapter, authors: list[ContextEntity]) -> ContextEntity | None:
    provenance = catalog.record(chapter.name, "provenance.json", root)
    source, notebook = f"book/sources/{chapter.name}.md", f"{chapter.page}.ipynb"
    made = [_file(crate, root, notebook, name=chapter.title, encodingFormat="application/x-ipynb+json")]
    for figure in chapter.figures:
        vector = f"book/results/{chapter.name}/{figure.id}.pdf"
        finding = cite.plain(catalog.first_sentence(figure.caption))
        about = {"name": f"Figure {figure.number}", "identifier": figure.id, "description": finding}
        made.append(_file(crate, root, vector, encodingFormat="application/pdf", **about))
    if not provenance:
        return None
    end = datetime.datetime.fromisoformat(provenance["date"])
    seconds = provenance["duration_seconds"]
    return crate.add_action(
        _code(crate, root, provenance),
        f"#run-{chapter.name}",
        object=_file(crate, root, source, encodingFormat="text/markdown"),
        result=_one_or_all(made),
        properties={
            "name": f"execution of {chapter.name}, seed {provenance['seed']}",
            "description": f"{seconds} s on {provenance['cpu']}, {provenance['system']}, Python {provenance['python']}",
            "startTime": (end - datetime.timedelta(seconds=seconds)).isoformat(timespec="seconds"),
            "endTime": provenance["date"],
            "actionStatus": "http://schema.org/CompletedActionStatus",
            "agent": _one_or_all(authors),
        },
    )


def _code(crate: ROCrate, root: Path, provenance: dict) -> ContextEntity:
    # The package as it was when the chapter was executed: an earlier commit than the archive's, as a rule.
    id = "" if provenance["dirty"] else cite.swhid(provenance["commit"])
    id = id or f"#offconvex-{provenance['version']}"
    about = {"name": "offconvex", "version": provenance["version"], **_home(root)}
    return crate.get(id) or _entity(crate, id, "SoftwareSourceCode", **about)


def _home(root: Path) -> dict[str, str]:
    site = catalog.setting("offconvex_site_url", root)
    return {"url": site} if site else {}


def _one_or_all(values: list) -> object:
    return values[0] if len(values) == 1 else values  # the format has no lists of one


def _file(crate: ROCrate, root: Path, place: str, **properties: str):
    return crate.add_file(root / place, place, properties=properties)


def _entity(crate: ROCrate, id: str, kind: str, **properties: object) -> ContextEntity:
    return crate.add(ContextEntity(crate, id, properties={"@type": kind} | properties))


def _license(crate: ROCrate, name: str) -> ContextEntity:
    return _entity(crate, f"https://spdx.org/licenses/{name}", "CreativeWork", name=name)
