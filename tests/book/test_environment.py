"""One environment: environment.yml, requirements.txt and pyproject.toml say the same."""

import json
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import wheels
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from offconvex.book.execution import chapters, convert

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements.txt"
RUNNING = sys.version.split()[0].rstrip("+")
SUPPORTED = list(dict.fromkeys(python.rpartition(".")[0] for python in wheels.PYTHONS))
*PROVED, ACCEPTED = SUPPORTED


def pins(text, python=RUNNING):
    """Version by canonical name of every pin of a requirements file that holds under a version of Python."""
    applying = [pin for pin in wheels.pins(text) if wheels.applies(pin, python)]
    return {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in applying}


@pytest.fixture(scope="module")
def pinned():
    return pins(REQUIREMENTS.read_text())


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize(
    "text",
    [
        "numpy",
        "numpy>=2",
        "torch==2.13.0+cpu",
        "-e .",
        "a @ file:///a.whl",
        "numpy==2.*",
        "a==1\nA==1",
        "a-b==1\na_b==2",
        'a==1; python_version < "3.13"\na==2; python_version > "3.11"',
    ],
)
def test_a_line_that_is_no_exact_pin_is_found(text):
    with pytest.raises(ValueError, match="requirements.txt, line"):
        pins(text)


def test_conda_installs_the_pinned_list_and_the_package(project):
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["name"] == project["name"] == "offconvex"
    assert environment["channels"] == ["conda-forge"]
    *plain, with_pip = environment["dependencies"]
    assert plain == [f"python>={PROVED[0]},<{ACCEPTED}", "pip"]
    assert with_pip == {"pip": ["-r requirements.txt", "-e ."]}


def test_the_same_pythons_are_supported_everywhere(project):
    past = f"3.{int(ACCEPTED.partition('.')[2]) + 1}"
    assert project["requires-python"] == f">={PROVED[0]},<{past}"
    assert project["classifiers"] == [f"Programming Language :: Python :: {python}" for python in PROVED]
    finder = (ROOT / ".ci/interpreter").read_text()
    assert f"proved=({' '.join(reversed(PROVED))})\naccepted={ACCEPTED}\n" in finder
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "book/how-to-use.md")]
    notebook = convert.to_notebook(chapters.names()[0])
    for text in [*texts, notebook.cells[0].source]:
        assert f"Python {PROVED[0]} to {PROVED[-1]}" in text.replace("**", "")


def test_every_dependency_of_the_package_is_pinned_once_and_there_only(project, pinned):
    extras = project["optional-dependencies"]
    named = project["dependencies"] + extras["book"] + extras["cluster"]
    for requirement in map(Requirement, named):
        assert not requirement.specifier, "versions stand in requirements.txt alone"
        assert canonicalize_name(requirement.name) in pinned


@pytest.mark.parametrize("extra", ["comparison", "private", "seeds"])
def test_what_no_output_needs_to_be_made_again_is_pinned_apart(project, pinned, extra):
    # The book's environment is the same with and without it.
    assert set(project["optional-dependencies"]) == {"book", "cluster", "comparison", "private", "seeds"}
    for requirement in map(Requirement, project["optional-dependencies"][extra]):
        assert [pin.operator for pin in requirement.specifier] == ["=="]
        assert canonicalize_name(requirement.name) not in pinned


@pytest.mark.parametrize("python", wheels.PYTHONS)
def test_the_pinned_list_is_closed(pinned, python):
    """Whatever a package needs that is installed here is pinned too, in a version that it accepts, under any Python."""
    here, pinned = set(pinned), pins(REQUIREMENTS.read_text(), python)
    for name in sorted(here & set(pinned)):
        for requirement in map(Requirement, metadata.requires(name) or []):
            # Builds of torch for a GPU pin their libraries themselves.
            gpu = requirement.name.startswith(("nvidia", "cuda", "triton"))
            if not gpu and wheels.applies(requirement, python):
                version = pinned.get(canonicalize_name(requirement.name))
                assert version is not None, f"{name} needs {requirement.name}, which is not pinned"
                assert requirement.specifier.contains(version, prereleases=True), f"{name} needs {requirement}"


def test_the_running_environment_is_the_pinned_one(pinned):
    assert RUNNING.rpartition(".")[0] in SUPPORTED
    # A build for one kind of processor says so after a plus: torch 2.13.0+cpu is torch 2.13.0.
    installed = {name: metadata.version(name).split("+")[0] for name in pinned}
    assert installed == pinned


@pytest.mark.parametrize("platform", wheels.PLATFORMS)
@pytest.mark.parametrize("python", wheels.PYTHONS)
def test_every_pin_has_a_wheel(python, platform):
    pinned = wheels.pins(REQUIREMENTS.read_text())
    known = json.loads(wheels.FILE.read_text())
    assert set(known) == set(map(wheels.name, pinned)), "the pins changed: run `python tests/wheels.py`"
    built = [pin for pin in pinned if wheels.applies(pin, python)]
    assert [str(pin) for pin in built if not wheels.fits(known[wheels.name(pin)], python, platform)] == []


@pytest.mark.parametrize(
    ("wheel", "python", "platform", "installs"),
    [
        ("py3-none-any", "3.13.0", "macOS arm64", True),
        ("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", "3.11.5", "Linux x86_64", True),
        ("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", "3.12.0", "Linux x86_64", False),
        ("cp39-abi3-manylinux_2_28_x86_64", "3.14.0", "Linux x86_64", True),
        ("cp313-cp313-manylinux_2_34_x86_64", "3.13.0", "Linux x86_64", False),
        ("cp313-cp313t-manylinux_2_28_x86_64", "3.13.0", "Linux x86_64", False),
        ("cp313-cp313-manylinux_2_28_x86_64", "3.13.0", "Linux aarch64", False),
        ("cp313-cp313-macosx_11_0_arm64", "3.13.0", "macOS arm64", True),
    ],
)
def test_a_wheel_installs_where_its_tags_say(wheel, python, platform, installs):
    assert wheels.fits([wheel], python, platform) is installs
