"""What the normaliser drops, joins and refuses."""

import copy

import nbformat
import pytest

from offconvex.book.execution import convert

v4 = nbformat.v4


def executed(*outputs, count=1):
    cell = v4.new_code_cell("print('x')", execution_count=count, outputs=list(outputs))
    cell.metadata = nbformat.from_dict(
        {"papermill": {"duration": 1}, "execution": {"shell.execute_reply": "now"}, "tags": ["a"]}
    )
    notebook = v4.new_notebook(cells=[cell])
    notebook.metadata = nbformat.from_dict({"papermill": {"start": "now"}, "kernelspec": {"name": "python3"}})
    return notebook


def stream(text, name="stdout"):
    return v4.new_output("stream", name=name, text=text)


def test_timestamps_go_tags_stay_and_a_stream_cut_in_two_is_joined():
    one = convert.normalise(executed(stream("a\n"), stream("b\n")))
    other = convert.normalise(executed(stream("a\nb\n")))
    assert one.cells[0].outputs == other.cells[0].outputs
    assert one.cells[0].metadata == {"tags": ["a"]}
    assert set(one.metadata) == {"kernelspec", "language_info"}


def test_normalising_twice_changes_nothing():
    once = convert.normalise(executed(stream("a\n"), stream("b\n")))
    assert convert.normalise(copy.deepcopy(once)) == once


@pytest.mark.parametrize(
    ("notebook", "words"),
    [
        (executed(stream("careful", name="stderr")), "wrote to stderr"),
        (executed(v4.new_output("error", ename="KeyError", evalue="k", traceback=[])), "ended in KeyError"),
        (executed(stream("saved in /" + "home/me/x")), "a machine's path"),
        (executed(v4.new_output("execute_result", data={"text/plain": "'/" + "tmp/x'"})), "a machine's path"),
        (executed(count=None), "never executed"),
    ],
)
def test_an_unfit_notebook_is_refused_with_the_reason(notebook, words):
    with pytest.raises(ValueError, match=words):
        convert.normalise(notebook)


@pytest.mark.parametrize("text", ["1/2 of the mass", "and/or", "http://example.org/" + "home/x", "a/b"])
def test_a_slash_is_not_a_path(text):
    assert convert.normalise(executed(stream(text))).cells[0].outputs[0].text == text
