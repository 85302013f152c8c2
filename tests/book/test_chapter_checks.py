"""The checks of chapters, on made-up notebooks that keep to a rule and that break it."""

import chapter_checks as checks
import lint_cells
import nbformat.v4 as make
import pytest

MODEL = """import numpy as np

w = np.full(3, 0.1)
target = np.array([1.0, 2.0, 3.0])
step = 0.1

def gradient(w):
    return w - target

for count in range(100):
    w = w - step * gradient(w)
error = np.abs(w - target).max()
print(f"largest error {100 * error:.0f} percent")
"""
CHECK = "assert abs(error - engine_error) < 1e-6"


def notebook(*cells):
    """Cells given as code, or as (code, tag) or (code, tag, printed), each with a text before it."""
    made = []
    for number, cell in enumerate(cells):
        code, tag, printed = (*((cell,) if isinstance(cell, str) else cell), None, "")[:3]
        metadata = {"tags": [tag]} if tag else {}
        outputs = [make.new_output("stream", name="stdout", text=printed)] if printed else []
        made += [
            make.new_markdown_cell(f"Text {number}."),
            make.new_code_cell(code, metadata=metadata, outputs=outputs),
        ]
    return make.new_notebook(cells=made)


def figures(count, tag=None, first=0):
    """Cells that save new figures."""
    return [
        (f'figures.save(fig, "fig-new-{tag}-{number}", data)', tag) if tag else f'figures.save(fig, "fig-new-{number}")'
        for number in range(first, first + count)
    ]


def said(faults, part):
    return any(part in fault for fault in faults)


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        (["x = 1"] * 25, None),
        (["x = 1"] * 26, "code cells in the argument"),
        (["x = 1"] * 25 + [("y = 1", "further")] * 9 + [(MODEL, "model"), (CHECK, "model-check")], None),
        (["x = 1\n" * 12], None),
        (["x = 1\n" * 13], "more than 12 lines"),
        ([("x = 1\n" * 13, "further")], "more than 12 lines"),
        ([("x = 1\n" * 18, "model")], None),
        (["x = " + "1" * 116], None),
        (["x = " + "1" * 117], "more than 120 columns"),
        ([("x = " + "1" * 117, "model")], "more than 120 columns"),
        (["def f():" + "\n    x = 1" * 5], "a function of more than 5 lines"),
        (["class A:\n    pass"], "a class"),
        (["plt.rcParams['a'] = 1"], "`rcParams`"),
    ],
)
def test_shape(cells, fault):
    found = checks.shape_faults(notebook(*cells))
    assert said(found, fault) if fault else found == []


def test_code_without_a_text_before_it_is_found():
    assert said(checks.shape_faults(make.new_notebook(cells=[make.new_code_cell("x = 1")])), "no text before")


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        (["rt = 1", (MODEL, "model"), (CHECK, "model-check"), "x = rt"], None),
        (["import numpy as np", (MODEL, "model"), "x = np.ones(3)"], None),
        ([(MODEL, "model", "12 %\n" * 10)], None),
        ([(MODEL, "model", "12 %\n" * 11)], "prints more than 10 lines"),
        ([(MODEL, "model"), (MODEL, "model")], "2 model cells; a chapter shows one"),
        ([("x = 1\n" * 9, "model")], "of 9 lines"),
        ([("x = 1\n" * 19, "model")], "of 19 lines"),
        ([(MODEL + "import torch", "model")], "imports torch"),
        ([(MODEL + "from offconvex import rng", "model")], "imports offconvex"),
        ([(MODEL, "model"), "y = error + 1"], "defines error"),
        (["gradient = 3", (MODEL, "model")], "defines gradient"),
        (["gap = 3", (MODEL, "model"), ("gap = 0", "model-check")], "defines gap"),
        ([(MODEL, "model"), "x = 1", (CHECK, "model-check")], "does not follow the model cell"),
        ([(CHECK, "model-check")], "does not follow the model cell"),
        (["x = 1"], "0 model cells; a chapter shows one"),
        ([(MODEL, "model"), ("x = 1", None, "✓ a.claim-1\n✓ a.claim-1 fails on its control\n")], None),
        ([("x = 1", None, "0.25\n")], "prints `0.25`"),
        ([("x = 1", "further", "about 3\n")], "prints `about 3`"),
    ],
)
def test_model(cells, fault):
    found = checks.model_faults(notebook(*cells))
    assert said(found, fault) if fault else found == []


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        (figures(8), None),
        (figures(9), "more than 8 new figures"),
        (figures(8) + figures(4, "further"), None),
        (figures(5, "further"), "more than 4 further figures"),
        (figures(8) + ['figures.save(fig, "fig-matrix-depth", data)'], None),
    ],
)
def test_number_of_figures(cells, fault):
    found = [f for f in checks.figure_faults(notebook(*cells)) if f.startswith("more than")]
    assert said(found, fault) if fault else found == []


def test_figures_of_the_first_edition_are_those_published_then():
    assert {"fig-param-deep", "fig-locality-apart"} < checks.first_edition_figures()
    assert len(checks.first_edition_figures()) == 108


SOURCE = """---
jupytext: {}
---
# A chapter

```{code-cell} ipython3
:tags: [parameters]

seed = 0
```

```{note}
x = = 1
```

```{code-cell} ipython3
---
mystnb:
  figure:
    name: fig-a
---
y = seed + z
```
"""


def test_only_the_code_of_a_source_is_linted_and_lines_keep_their_numbers():
    lines = lint_cells.code_alone(SOURCE).splitlines()
    assert {number: line for number, line in enumerate(lines, start=1) if line} == {9: "seed = 0", 22: "y = seed + z"}


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("y = seed", None),
        ("y = z", "undefined-name"),
        ("import os", "unused-import"),
        (f"y = '{'x' * 120}'", "line-too-long"),
        ("y = = 1", ""),
    ],
)
def test_a_fault_in_a_cell_is_found_with_the_line_of_the_source(tmp_path, capfd, code, rule):
    (tmp_path / "a.md").write_text(SOURCE.replace("y = seed + z", code))
    status = lint_cells.main(tmp_path, tmp_path / "cells")
    assert bool(status) == (rule is not None)
    if rule is not None:
        printed = capfd.readouterr().out
        assert "a.py:22:" in printed and rule in printed
