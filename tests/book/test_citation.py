"""CITATION.cff: valid by the format's own schema, and of one version with the package."""

import copy
import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml
from pybtex.database import parse_file

import offconvex
from offconvex.book.publication import catalog

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


def reference(entry):
    """An entry of the bibliography as the format tells it."""
    people = [
        {"family-names": " ".join(person.last_names), "given-names": " ".join(person.first_names)}
        if person.first_names
        else {"name": " ".join(person.last_names).strip("{}")}
        for person in entry.persons["author"]
    ]
    about = entry.fields.get("note", "") + entry.fields.get("howpublished", "")
    found = {"type": "generic" if about == "Research note" else "blog", "authors": people}
    found |= {"title": re.sub("[{}]", "", entry.fields["title"]), "year": int(entry.fields["year"])}
    return found | {name: entry.fields[name] for name in ("url",) if name in entry.fields}


def test_the_twelve_texts_are_referred_to_as_in_the_bibliography(citation):
    table = (ROOT / "book/texts.md").read_text().partition("```{texts}\n")[2].partition("```")[0]
    texts = re.findall(r"^(\w+):", table, flags=re.MULTILINE)
    entries = parse_file(ROOT / "book/references.bib").entries
    assert citation["references"] == [reference(entries[key]) for key in texts] and len(texts) == 12


def test_addresses_are_those_of_the_settings(citation):
    # None is set before there is a public place, and none is made up.
    settings = yaml.safe_load((ROOT / "_config.yml").read_text())
    expected = {
        "repository-code": settings["repository"]["url"],
        "url": catalog.setting("offconvex_site_url", ROOT),
        "doi": catalog.setting("offconvex_doi", ROOT),
    }
    assert {name: citation.get(name, "") for name in expected} == expected
