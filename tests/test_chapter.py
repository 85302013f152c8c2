"""The open chapter."""

import numpy as np
import pytest
import torch

from offconvex import chapter, paths, run


def test_begin_opens_a_chapter_and_forgets_the_results_of_the_last_run(open_chapter):
    output = open_chapter("room", seed=3)
    assert run.active_run() == run.Run("room", 3, "default", output)
    for name in ("claims.json", "fig-a.pdf", "fig-a.csv", "stored.npz"):
        (output / name).write_text("old")
    open_chapter("room")
    assert [file.name for file in output.iterdir()] == ["stored.npz"]


def test_results_go_below_build_unless_told_otherwise(open_chapter, monkeypatch, tmp_path):
    monkeypatch.delenv("OFFCONVEX_OUTPUT")
    monkeypatch.setattr(paths, "build_folder", lambda: tmp_path / "_build")
    assert open_chapter("room") == tmp_path / "_build" / "live" / "room"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"profile": "fast"}, "`profile` must be one of default, smoke, paper; got 'fast'"),
        ({"seed": -1}, "`seed` must be a non-negative integer; got -1"),
        ({"seed": True}, "`seed` must be a non-negative integer; got True"),
        ({"seed": 1.0}, "`seed` must be a non-negative integer; got 1.0"),
        ({"seed": np.True_}, "`seed` must be a non-negative integer; got np.True_"),
    ],
)
def test_begin_refuses_bad_arguments_and_opens_nothing(open_chapter, arguments, message):
    with pytest.raises(ValueError, match=message):
        open_chapter(**arguments)
    with pytest.raises(RuntimeError, match="No chapter is open: call chapter.begin"):
        run.active_run()


def test_a_seed_of_numpy_is_the_same_seed(open_chapter):
    open_chapter("room", seed=np.int64(3))
    assert run.active_run().seed == 3 and type(run.active_run().seed) is int  # claims.json holds it


def test_begin_refuses_a_missing_device_and_opens_nothing(monkeypatch):
    monkeypatch.setattr(run, "_active", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="no CUDA device"):
        chapter.begin("room", seed=0, device="cuda")
    with pytest.raises(RuntimeError, match="No chapter is open"):
        run.active_run()
