"""Fixtures of the pipeline's tests."""

import pytest
import tiny_project


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A project of one chapter, which the package takes for its checkout."""
    root = tiny_project.make(tmp_path / "project")
    monkeypatch.setenv("OFFCONVEX_ROOT", str(root))
    return root
