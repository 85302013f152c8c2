"""Figures: the same bytes from the same drawing, the arrays behind them, and clear words for bad input."""

import matplotlib.colors
import matplotlib.pyplot as plt
import numpy as np
import pytest
import simulated
import torch

from offconvex import figures

COLUMNS = {"time": np.array([0.0, 0.1, 1 / 3]), "count": np.array([1, 2, 3]), "kind": np.array(["a", "b, c", 'd"'])}
ARRAYS = {"image": np.arange(6.0).reshape(2, 3), "time": np.array([0.0, 0.1])}


def draw():
    figure, axes = figures.new()
    axes.plot([0, 1, 2], [0, 1, 4], label="measured")
    axes.plot([0, 2], [0, 4], label="theory", **figures.THEORY)
    axes.set(xlabel="time", ylabel="$\\sigma_r$", title="A title")
    axes.legend()
    return figure


@pytest.fixture
def output(open_chapter):
    return open_chapter()


@pytest.mark.parametrize(("data", "suffix"), [(COLUMNS, ".csv"), (ARRAYS, ".npz")])
def test_two_saves_give_the_same_bytes(output, data, suffix):
    saved = []
    for _ in range(2):
        figures.reset(output)
        figures.save(draw(), "fig-room-a", data)
        assert sorted(f.name for f in output.iterdir()) == sorted(["fig-room-a.pdf", "fig-room-a" + suffix])
        saved.append([f.read_bytes() for f in sorted(output.iterdir())])
    assert saved[0] == saved[1]
    assert any(content.startswith(b"%PDF") and b"CreationDate" not in content for content in saved[0])


@pytest.mark.parametrize(("data", "suffix"), [(COLUMNS, ".csv"), (ARRAYS, ".npz")])
def test_the_data_are_read_as_they_were_saved(output, data, suffix):
    figures.save(draw(), "fig-room-a", data)
    read = figures.read_data(output / f"fig-room-a{suffix}")
    assert list(read) == list(data)
    for name in data:
        np.testing.assert_array_equal(read[name], data[name])


def test_tensors_booleans_and_lists_are_data(output):
    figures.save(
        draw(),
        "fig-room-a",
        {"x": torch.ones(2, device="cpu", requires_grad=True), "done": np.array([True, False]), "list": [1, 2]},
    )
    read = figures.read_data(output / "fig-room-a.csv")
    assert [read[name].tolist() for name in ("x", "done", "list")] == [[1.0, 1.0], [1.0, 0.0], [1.0, 2.0]]


def test_a_tensor_is_drawn_from_whatever_device():
    with simulated.installed() as rt:
        drawn = figures.array(rt.eye(2).requires_grad_())
    assert isinstance(drawn, np.ndarray) and drawn.tolist() == [[1, 0], [0, 1]]
    assert figures.array([1, 2]).tolist() == [1, 2]


def test_any_name_is_a_name(output):
    figures.save(draw(), "fig-room-a", {"file": np.eye(2), "allow_pickle": np.ones(3), "σ max": np.zeros(1)})
    assert list(figures.read_data(output / "fig-room-a.npz")) == ["file", "allow_pickle", "σ max"]


@pytest.mark.parametrize(
    "id", ["room-a", "fig-", "fig-Room", "fig-a--b", "fig-a_b", "fig-a.pdf", "fig-../a", "fig-a\n"]
)
def test_ids_are_fixed_in_form(output, id):
    with pytest.raises(ValueError, match="A figure id is 'fig-' and lower-case words joined by hyphens; got"):
        figures.save(draw(), id, COLUMNS)
    assert not list(output.iterdir())


def test_a_figure_is_saved_once_and_with_its_data(output):
    with pytest.raises(ValueError, match="fig-room-a: no data; a figure is saved together with the arrays it draws"):
        figures.save(draw(), "fig-room-a", {})
    figures.save(draw(), "fig-room-a", COLUMNS)
    before = (output / "fig-room-a.pdf").read_bytes()
    with pytest.raises(ValueError, match="fig-room-a: saved twice in one run; figure ids are unique"):
        figures.save(draw(), "fig-room-a", ARRAYS)
    assert (output / "fig-room-a.pdf").read_bytes() == before and not (output / "fig-room-a.npz").exists()


def test_a_cell_that_a_reader_runs_again_replaces_its_figure(output, monkeypatch):
    monkeypatch.delenv("OFFCONVEX_OUTPUT")  # nobody executes the chapter: a reader goes through it
    for data, kept in ((COLUMNS, "csv"), (COLUMNS, "csv"), (ARRAYS, "npz"), (COLUMNS, "csv")):
        figures.save(draw(), "fig-room-a", data)
        # One figure, and nothing of an earlier one.
        assert sorted(file.name for file in output.iterdir()) == sorted(["fig-room-a.pdf", f"fig-room-a.{kept}"])
        assert figures.read_data(output / f"fig-room-a.{kept}").keys() == data.keys()


@pytest.mark.parametrize("bad", [None, object(), np.array([1, None]), 1j, {"a": 1}, [[1, 2], [3]]])
def test_data_are_numbers_or_text(output, bad):
    with pytest.raises(ValueError, match="fig-room-a: `x` must be numbers or text, got"):
        figures.save(draw(), "fig-room-a", {"x": bad})
    assert not list(output.iterdir())


def test_nothing_is_saved_without_an_open_chapter(open_chapter):
    with pytest.raises(RuntimeError, match="No chapter is open"):
        figures.save(plt.figure(), "fig-room-a", COLUMNS)


@pytest.mark.parametrize(("data", "suffix"), [(COLUMNS, ".csv"), (ARRAYS, ".npz")])
def test_missing_and_empty_data_are_one_sentence(output, data, suffix):
    file = output / f"fig-room-a{suffix}"
    message = f"fig-room-a{suffix}: unreadable figure data .*; execute the chapter again"
    with pytest.raises(ValueError, match=message):
        figures.read_data(file)
    figures.save(draw(), "fig-room-a", data)
    file.write_bytes(b"")
    with pytest.raises(ValueError, match=message):
        figures.read_data(file)
    file.unlink()
    file.mkdir()
    with pytest.raises(ValueError, match=message):
        figures.read_data(file)


def test_ragged_and_binary_tables_are_one_sentence(output):
    file = output / "fig-room-a.csv"
    for content in (b"a,b\n1,2\n3\n", b"a,b\n1,2,3\n", b"a\n\xff\xfe\n", b'a\n"1\n'):
        file.write_bytes(content)
        with pytest.raises(ValueError, match="fig-room-a.csv: unreadable figure data"):
            figures.read_data(file)


def test_damaged_archives_give_their_arrays_or_one_sentence(output):
    figures.save(draw(), "fig-room-a", ARRAYS)
    file = output / "fig-room-a.npz"
    whole = file.read_bytes()
    damaged = [whole[:cut] for cut in range(0, len(whole), 7)]
    damaged += [
        whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :] for at in range(len(whole)) for flip in (1, 128)
    ]
    refused = 0
    for content in damaged:
        file.write_bytes(content)
        try:
            read = figures.read_data(file)
        except ValueError as error:
            assert "fig-room-a.npz: unreadable figure data" in str(error)
            refused += 1
        else:
            # Harmless: a date, a flag or a name that the archive does not check.
            assert all(np.array_equal(a, b) for a, b in zip(read.values(), ARRAYS.values()))
    assert refused > len(damaged) / 2


def test_pickles_are_not_read(output):
    np.savez(output / "fig-room-a.npz", x=np.array([print], dtype=object))
    with pytest.raises(ValueError, match="unreadable figure data"):
        figures.read_data(output / "fig-room-a.npz")


def test_two_widths_and_no_other():
    for width, inches in (("single", 5.2), ("double", 8.0)):
        figure, _ = figures.new(width)
        assert figure.get_figwidth() == inches
        plt.close(figure)
    figure, axes = figures.new("double", rows=2, columns=3, height=4.0)
    assert axes.shape == (2, 3) and figure.get_figheight() == 4.0
    plt.close(figure)
    with pytest.raises(ValueError, match="`width` must be 'single' or 'double'; got 'wide'"):
        figures.new("wide")


def test_theory_is_black_and_dashed_and_what_is_measured_is_solid(output):
    figure, axes = figures.new()
    (theory,) = axes.plot([0, 1], **figures.THEORY)
    (measured,) = axes.plot([0, 1])
    assert matplotlib.colors.to_rgba(theory.get_color()) == (0, 0, 0, 1)
    assert theory.is_dashed() and not measured.is_dashed()
    assert theory.get_zorder() > measured.get_zorder()
    assert measured.get_color() == figures.KIND_COLORS[0].lstrip("#") or measured.get_color() == figures.KIND_COLORS[0]


def test_the_style_cycles_through_the_colors_of_kinds(output):
    cycle = ["#" + color.lstrip("#") for color in plt.rcParams["axes.prop_cycle"].by_key()["color"]]
    assert cycle == list(figures.KIND_COLORS) and len(set(cycle)) == 6


def test_ordered_colors_run_from_dark_to_light_and_stay_visible():
    colors = np.array(figures.ordered_colors(6))[:, :3]
    brightness = colors @ [0.2126, 0.7152, 0.0722]
    assert np.all(np.diff(brightness) > 0)
    assert brightness[-1] < 0.75
    assert len(figures.ordered_colors(1)) == 1


def test_opening_a_chapter_closes_the_figures_of_the_last(output, open_chapter):
    draw()
    assert plt.get_fignums()
    open_chapter()
    assert not plt.get_fignums()


def test_an_impossible_layout_is_an_error(output):
    figure, axes = figures.new(height=0.2)
    axes.set(xlabel="x\n" * 9, ylabel="y")
    with pytest.raises(UserWarning, match="constrained_layout not applied"):
        figures.save(figure, "fig-room-a", COLUMNS)
