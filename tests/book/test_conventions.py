"""The files by which a public repository is known: each in its format, and naming only what exists."""

import configparser
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import small_book
import yaml

import offconvex
from offconvex.book.publication import catalog, published

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PINNED = re.compile(r"actions/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+")
MAKEFILE = (ROOT / "Makefile").read_text()


def workflow(name):
    return yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text())


def steps(flow):
    return [step for job in flow["jobs"].values() for step in job["steps"]]


def exists(command):
    """Whether a command of a workflow or a hook is an executable file of the project, or targets of its Makefile."""
    program, *arguments = shlex.split(command)
    if program == "make":
        return all(re.search(rf"^{target}:", MAKEFILE, flags=re.MULTILINE) for target in arguments)
    file = ROOT / program
    return file.is_file() and bool(file.stat().st_mode & 0o100)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_a_workflow_may_read_and_runs_pinned_actions_and_what_exists(file):
    flow = yaml.safe_load(file.read_text())
    assert flow["permissions"] == {"contents": "read"}
    assert set(flow) == {"name", True, "permissions", "concurrency", "jobs"}  # YAML 1.1 reads the key `on` as true
    for job in flow["jobs"].values():
        assert job["runs-on"] == "ubuntu-latest" and 0 < job["timeout-minutes"] <= 120
    for step in steps(flow):
        assert ("uses" in step) != ("run" in step)
        assert "run" not in step or exists(step["run"])
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
    # A tag may be moved to other code, a commit may not; the version beside it is for people.
    used = re.findall(r"uses: (.*)", file.read_text())
    assert used and all(PINNED.fullmatch(action) for action in used)


def test_all_workflows_use_one_version_of_each_action():
    used = {action for file in WORKFLOWS for action in re.findall(r"uses: (.*)", file.read_text())}
    assert len({action.partition("@")[0] for action in used}) == len(used)


def test_continuous_integration_is_the_one_that_everybody_can_run():
    flow = workflow("ci")
    assert [step["run"] for step in steps(flow) if "run" in step] == [".ci/run"]
    assert set(flow[True]) == {"push", "pull_request"}


def test_what_is_published_is_what_is_built():
    flow = workflow("pages")
    build, deploy = flow["jobs"]["build"], flow["jobs"]["deploy"]
    (path,) = (step["with"]["path"] for step in build["steps"] if "upload-pages-artifact" in step.get("uses", ""))
    assert path == "_build/html" and f"{path}/index.html" in MAKEFILE
    assert "pull_request" not in flow[True]  # nobody's proposal is published
    assert "permissions" not in build and deploy["permissions"] == {"pages": "write", "id-token": "write"}
    assert deploy["needs"] == "build"


@pytest.mark.parametrize("command", [".ci/walk", "make everything", "make html offlane", "README.md"])
def test_a_command_that_does_not_exist_is_found(command):
    assert not exists(command)


def test_hooks_run_what_continuous_integration_lints():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"  # another's would bring versions of its own
    (hook,) = repository["hooks"]
    assert hook["entry"] == "make lint" and exists(hook["entry"]) and hook["language"] == "system"
    assert hook["pass_filenames"] is False
    for file in ("src/offconvex/rng.py", "book/sources/norms.md", "tests/book/lint_cells.py"):
        assert re.search(hook["files"], file) and (ROOT / file).exists()


def editorconfig():
    file = configparser.ConfigParser()
    file.read_string("[top]\n" + (ROOT / ".editorconfig").read_text())
    return {name: dict(section) for name, section in file.items()}


def test_what_editors_are_told_is_what_the_files_are():
    rules = editorconfig()
    assert rules["top"]["root"] == "true" and rules["*.py"]["max_line_length"] == "120"
    assert rules["*"].items() >= {"charset": "utf-8", "end_of_line": "lf", "insert_final_newline": "true"}.items()
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("no git, so no list of the project's files")
    apart = ("book/chapters/", "book/results/", "book/_static/mathjax/", "book/_static/fonts/", "tests/book/cff-")
    for name in filter(None, listing.stdout.split("\0")):
        content = (ROOT / name).read_bytes()
        if name.startswith(apart) or b"\0" in content or not content:
            continue
        text = content.decode("utf-8")
        assert "\r" not in text and text.endswith("\n"), name
        wrong = [number for number, line in enumerate(text.splitlines(), start=1) if line != line.rstrip()]
        assert not wrong, f"{name}: white space at the end of lines {wrong}"
        assert name == "Makefile" or not re.search(r"^\t", text, flags=re.MULTILINE), f"{name}: indented with tabs"


def changelog():
    """Heading and body of every version."""
    text = (ROOT / "CHANGELOG.md").read_text()
    return re.findall(r"^## (.+)\n((?:(?!## ).*\n?)*)", text, flags=re.MULTILINE)


def test_the_changelog_keeps_its_form_and_ends_at_the_version_that_is_cited():
    (unreleased, _), *released = changelog()
    assert unreleased == "[Unreleased]"
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert released[0][0] == f"[{offconvex.__version__}] - {citation['date-released']}"
    dates = [re.fullmatch(r"\[\d+\.\d+\.\d+\] - (\d{4}-\d\d-\d\d)", heading)[1] for heading, _ in released]
    assert dates == sorted(dates, reverse=True)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    for heading, body in changelog():
        found = re.findall(r"^### (.+)\n\n((?:- .*\n(?:  .*\n)*)+)", body, flags=re.MULTILINE)
        assert found and {kind for kind, _ in found} <= kinds, heading
        assert len(re.findall("^###", body, flags=re.MULTILINE)) == len(found), heading


def test_links_of_the_changelog_lead_somewhere():
    places = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "CHANGELOG.md").read_text())
    assert places and all((ROOT / place).exists() for place in places)


def keeps_to_codecheck(text, root):
    """What version 1.0 of CODECHECK's configuration file asks of authors, as far as a file can show it."""
    assert re.search(r"^---$", text, flags=re.MULTILINE), "an explicit document"
    found = yaml.safe_load(text)
    assert found["version"] == "https://codecheck.org.uk/spec/config/1.0/"
    assert found["paper"]["title"] and all(author["name"] for author in found["paper"]["authors"])
    assert isinstance(found["manifest"], list) and found["manifest"]
    for entry in found["manifest"]:
        assert set(entry) == {"file", "comment"} and entry["comment"].strip()
        place = Path(entry["file"])
        assert not place.is_absolute() and ".." not in place.parts and (root / place).is_file(), place
    return found


def test_the_manifest_is_that_of_the_book():
    text = (ROOT / published.MANIFEST).read_text(encoding="utf-8")
    found = keeps_to_codecheck(text, ROOT)
    assert text == published.manifest(ROOT), "run `offconvex publish`"
    assert not {"codechecker", "report", "certificate"} & set(found) or {"codechecker", "report"} <= set(found)
    files = [entry["file"] for entry in found["manifest"]]
    chapters = catalog.chapters(ROOT)
    assert len(set(files)) == len(files) == len(chapters) + sum(len(chapter.figures) for chapter in chapters)


def test_what_a_codechecker_adds_stays(tmp_path):
    root = small_book.make(tmp_path)
    (root / "CITATION.cff").write_text("title: A Small Book\nauthors: [{name: The authors}]\n")
    for name, ids in {"one": ("fig-one-first", "fig-one-second"), "two": ("fig-two-only",)}.items():
        for file in ("claims.json", *(f"{id}.pdf" for id in ids)):
            (root / "book/results" / name / file).write_text("{}")
    text = published.write_manifest(root).read_text(encoding="utf-8")
    assert [entry["comment"] for entry in keeps_to_codecheck(text, root)["manifest"]][-2:] == [
        "Chapter 2: measured values of its claims",
        "Figure 2.1: A rate of a₁. B & 50% of Smith (2020).",
    ]
    (root / published.MANIFEST).write_text(text + "codechecker:\n- name: Somebody\n", encoding="utf-8")
    (root / "book" / "chapters" / "two.ipynb").unlink()
    found = keeps_to_codecheck(published.write_manifest(root).read_text(encoding="utf-8"), root)
    assert found["codechecker"] == [{"name": "Somebody"}] and len(found["manifest"]) == 3
