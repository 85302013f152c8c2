"""Moving figures: the sheet holds every frame, twice the same bytes, and bad input is refused."""

import io
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from offconvex import figures, motion

STATIC = Path(__file__).resolve().parents[1] / "book" / "_static"
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed: the script cannot be run")


def record(name="fig-moves", frames=7):
    fig, ax = figures.new("single", height=2.0)
    (dot,) = ax.plot([0], [0], "o", color="red", markersize=20)
    ax.set(xlim=(0, frames - 1), ylim=(-1, 1))
    motion.save(fig, name, lambda k: dot.set_data([k], [0]), [f"frame {k}" for k in range(frames)], rate=5)


def test_each_frame_lies_where_the_player_looks_for_it(open_chapter):
    output = open_chapter()
    record()
    about = json.loads((output / "fig-moves.frames.json").read_text())
    assert about["count"] == len(about["moments"]) == 7 and about["rate"] == 5
    sheet = np.asarray(Image.open(io.BytesIO((output / "fig-moves.webp").read_bytes())).convert("RGB")).astype(int)
    centers = []
    for frame in range(7):
        top, left = frame // about["columns"] * about["height"], frame % about["columns"] * about["width"]
        cut = sheet[top : top + about["height"], left : left + about["width"]]
        red = (cut[..., 0] > 200) & (cut[..., 1] < 60)
        centers.append(np.nonzero(red)[1].mean())
    assert (np.diff(centers) > 20).all()


def test_equal_frames_give_equal_bytes(open_chapter):
    output = open_chapter()
    record("fig-one")
    record("fig-two")
    assert (output / "fig-one.webp").read_bytes() == (output / "fig-two.webp").read_bytes()


def test_bad_motions_are_refused(open_chapter):
    open_chapter()
    fig, _ = figures.new("double")
    for id, moments in (("fig one", ["a", "b"]), ("fig-one", ["a"])):
        with pytest.raises(ValueError, match="needs an id"):
            motion.save(fig, id, lambda k: None, moments)
    with pytest.raises(ValueError, match="draw fewer or smaller"):
        motion.save(fig, "fig-one", lambda k: None, ["a"] * 100)


@needs_node
def test_the_player_finds_the_same_places():
    script = f"const m = require({json.dumps(str(STATIC / 'motion-player.js'))});"
    script += "const a = {count: 7, columns: 3, width: 50, height: 20};"
    script += "console.log(JSON.stringify([m.place(a, 0), m.place(a, 5), m.following(a, 2), m.following(a, 6)]))"
    run = subprocess.run(["node", "-e", script], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(run.stdout) == [[0, 0], [100, 20], 3, 0]


def test_the_player_stands_alone_and_honors_reduced_motion():
    script = (STATIC / "motion-player.js").read_text()
    assert "prefers-reduced-motion" in script
    for text in (script, (STATIC / "motion-player.css").read_text()):
        assert "http" not in text and "@import" not in text and "fetch(" not in text
