"""CITATION.cff: valid by the format's own schema, and of one version with the package."""

import copy
import json
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml

import offconvex

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "tests/book/cff-1.2.0-schema.json").read_text())


@pytest.fixture
def citation():
    return yaml.safe_load((ROOT / "CITATION.cff").read_text())


def problems(citation):
    validator = jsonschema.Draft7Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
    return [error.message for error in validator.iter_errors(citation)]


def test_the_schema_is_the_one_of_the_format():
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"] == "https://citation-file-format.github.io/1.2.0/schema.json"


def test_the_citation_is_valid(citation):
    assert problems(citation) == []
    assert citation["cff-version"] == "1.2.0"
    assert citation["title"] == "Off the Convex Path, Executed"
    assert [author["name"] for author in citation["authors"]] == ["The authors of Off the Convex Path, Executed"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", None),
        ("authors", None),
        ("authors", []),
        ("message", None),
        ("type", "book"),
        ("license", ["MIT", "CC-BY"]),
        ("date-released", "today"),
        ("subtitle", "A companion"),
    ],
)
def test_the_schema_refuses_what_is_wrong(citation, field, value):
    wrong = copy.deepcopy(citation)
    if value is None:
        del wrong[field]
    else:
        wrong[field] = value
    assert problems(wrong)


def test_one_version(citation):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert citation["version"] == project["version"] == offconvex.__version__


def test_both_licenses_are_told(citation):
    text = (ROOT / "LICENSE").read_text()
    assert citation["license"] == ["MIT", "CC-BY-4.0"]
    assert "MIT License" in text and "Creative Commons Attribution 4.0 International" in text
