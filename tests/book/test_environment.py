"""One environment: environment.yml, requirements.txt and pyproject.toml say the same."""

import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([0-9][A-Za-z0-9.]*)")


def pins(text):
    """Version by canonical name of every line of a requirements file; raises on a line that is no exact pin."""
    found = {}
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        match = PIN.fullmatch(line)
        if match is None:
            raise ValueError(
                f"requirements.txt, line {number}: expected name==version without a +suffix; got {line!r}."
            )
        name = canonicalize_name(match[1])
        if name in found:
            raise ValueError(f"requirements.txt, line {number}: {name} is pinned twice.")
        found[name] = match[2]
    return found


@pytest.fixture(scope="module")
def pinned():
    return pins((ROOT / "requirements.txt").read_text())


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
    assert plain == ["python=3.11", "pip"]
    assert with_pip == {"pip": ["-r requirements.txt", "-e ."]}
    # The interpreter that conda installs is the one that the package asks for, and no other fits.
    assert project["requires-python"] == ">=3.11,<3.12"


def test_every_dependency_of_the_package_is_pinned_once_and_there_only(project, pinned):
    extras = project["optional-dependencies"]
    named = project["dependencies"] + extras["book"] + extras["cluster"]
    for requirement in map(Requirement, named):
        assert not requirement.specifier, "versions stand in requirements.txt alone"
        assert canonicalize_name(requirement.name) in pinned


@pytest.mark.parametrize("extra", ["comparison", "private"])
def test_what_no_output_needs_to_be_made_again_is_pinned_apart(project, pinned, extra):
    # The book's environment is the same with and without it.
    assert set(project["optional-dependencies"]) == {"book", "cluster", "comparison", "private"}
    for requirement in map(Requirement, project["optional-dependencies"][extra]):
        assert [pin.operator for pin in requirement.specifier] == ["=="]
        assert canonicalize_name(requirement.name) not in pinned


def test_the_pinned_list_is_closed(pinned):
    """Whatever a pinned package needs on this machine is pinned too, in a version that it accepts."""
    for name in pinned:
        for requirement in map(Requirement, metadata.requires(name) or []):
            # Builds of torch for a GPU pin their libraries themselves.
            gpu = requirement.name.startswith(("nvidia", "cuda", "triton"))
            if not gpu and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
                version = pinned.get(canonicalize_name(requirement.name))
                assert version is not None, f"{name} needs {requirement.name}, which is not pinned"
                assert requirement.specifier.contains(version, prereleases=True), f"{name} needs {requirement}"


def test_the_running_environment_is_the_pinned_one(pinned):
    assert sys.version_info[:2] == (3, 11)
    # A build for one kind of processor says so after a plus: torch 2.13.0+cpu is torch 2.13.0.
    installed = {name: metadata.version(name).split("+")[0] for name in pinned}
    assert installed == pinned
