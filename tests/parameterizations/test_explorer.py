"""The page's interactive explorer: its numbers, computed by its own script in node, against the closed forms."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from offconvex.parameterizations import theory

STATIC = Path(__file__).resolve().parents[2] / "book" / "_static"
SCRIPT = STATIC / "parameterization-explorer.js"
KINDS = (1.0, 1.5, 2.0, 2.1, 4.0, 10.0, 0.5, 0.2, "exp", "polar")
STARTS = ((0.1, 0.1), (0.3, 0.1), (1.0, 0.2), (0.01, 0.02), (4.0, 1.0))

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed: the script cannot be run")


def call(expression: str):
    """Value of a JavaScript expression in which `x` is the explorer."""
    program = f"const x = require({json.dumps(str(SCRIPT))}); console.log(JSON.stringify({expression}));"
    run = subprocess.run(["node", "-e", program], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(run.stdout)


def family(kind) -> list:
    return [kind, 1] if isinstance(kind, str) else ["power", kind]


def table(function: str, rest: str = "") -> np.ndarray:
    cells = [[*family(kind), list(start)] for kind in KINDS for start in STARTS]
    values = call(f"{json.dumps(cells)}.map(([f, n, w]) => x.{function}(f, n, {rest}w))")
    return np.array(values, dtype=float).reshape(len(KINDS), len(STARTS), 2)


@needs_node
def test_end_points_and_predictions_on_the_line_are_those_of_theory():
    expected = np.array([[theory.line_end_point(kind, np.array(start)) for start in STARTS] for kind in KINDS])
    assert np.abs(table("endPoint", '"line", ') - expected).max() < 1e-6
    assert np.abs(table("prediction") - expected).max() < 1e-9


@needs_node
def test_every_flow_of_the_point_loss_ends_at_the_point():
    assert np.abs(table("endPoint", '"point", ') - [3.0, 6.0]).max() < 1e-7


@needs_node
@pytest.mark.parametrize("loss", ["point", "line"])
def test_field_is_the_closed_form(loss):
    w = np.array(STARTS)
    descent = np.array([3.0, 6.0]) - w if loss == "point" else (15 - w @ [1.0, 2.0])[:, None] * np.array([1.0, 2.0]) / 5
    expected = np.array([theory.field(kind, w, -descent) for kind in KINDS])
    assert table("field", f'"{loss}", ') == pytest.approx(expected, rel=1e-12)


@needs_node
def test_a_flow_into_an_axis_has_no_end_point():
    assert call('[x.endPoint("power", 0.5, "line", [0.01, 9.5]), x.prediction("power", 0.5, [0.01, 9.5])]') == [
        None,
        None,
    ]


@needs_node
@pytest.mark.parametrize(
    "arguments",
    ['"power", 0, "line", [1, 1]', '"log", 2, "line", [1, 1]', '"exp", 1, "plane", [1, 1]', '"exp", 1, "line", [0, 1]'],
)
def test_bad_input_is_refused(arguments):
    assert call(f"(() => {{ try {{ x.endPoint({arguments}); return ''; }} catch (e) {{ return e.message; }} }})()")


def test_script_and_style_stand_alone():
    for file in (SCRIPT, STATIC / "parameterization-explorer.css"):
        text = file.read_text()
        assert "http" not in text and "@import" not in text and "fetch(" not in text
