"""Files appear whole or not at all, equal content gives equal bytes, and nobody else writes any."""

import ast
import io
import json
import zipfile

import numpy as np
import pytest

from offconvex import files, paths

REMEDY = "make it again."


def test_a_file_is_replaced_as_a_whole_and_leaves_nothing_beside_it(tmp_path):
    file = tmp_path / "deep" / "a.txt"
    assert files.replace(file, "one") == file
    files.replace(file, "zwei\u00b2".encode())
    assert file.read_text(encoding="utf-8") == "zwei\u00b2" and [f.name for f in file.parent.iterdir()] == ["a.txt"]


def test_a_writer_that_fails_changes_and_leaves_nothing(tmp_path):
    file = files.replace(tmp_path / "a.zip", "whole")

    def entries():
        yield "first", b"1"
        raise RuntimeError("the second cannot be made")

    with pytest.raises(RuntimeError):
        files.write_archive(file, entries())
    assert [f.name for f in tmp_path.iterdir()] == ["a.zip"] and file.read_text() == "whole"


def test_two_writers_of_a_file_do_not_meet(tmp_path):
    def entries():
        files.replace(tmp_path / "a", "inner")
        yield "outer", b""

    files.write_archive(tmp_path / "a", entries())
    assert zipfile.ZipFile(tmp_path / "a").namelist() == ["outer"] and len(list(tmp_path.iterdir())) == 1


def test_what_is_moved_takes_the_place_of_what_was_there(tmp_path):
    source, target = files.replace(tmp_path / "new", "new"), files.replace(tmp_path / "b" / "old", "old")
    assert files.move(source, target) == target
    assert target.read_text() == "new" and not source.exists()


def test_arrays_come_back_and_equal_arrays_give_equal_bytes(tmp_path):
    arrays = {"x": np.arange(3.0), "name": np.array(["a", "bc"])}
    file = files.write_arrays(tmp_path / "1e-3-0.5.npz", arrays, {"seconds": 2.5})
    found, about = files.read_arrays(file, REMEDY)
    assert list(found) == ["x", "name"] and all(np.array_equal(found[name], arrays[name]) for name in arrays)
    assert about == {"seconds": 2.5} and files.pack(found) == file.read_bytes()


def test_arrays_without_their_record_or_with_another_one_are_one_sentence(tmp_path):
    file, other = (files.write_arrays(tmp_path / f"{n}.npz", {"x": np.arange(float(n))}, {}) for n in (3, 4))
    whole = file.read_bytes()
    file.write_bytes(other.read_bytes())
    with pytest.raises(ValueError, match=r"^3\.npz is damaged: its SHA-256 is not the recorded one; make it again\.$"):
        files.read_arrays(file, REMEDY)
    file.unlink()
    with pytest.raises(ValueError, match=r"^the run is missing \(3\.npz\); make it again\.$"):
        files.read_arrays(file, REMEDY, name="the run")
    file.write_bytes(whole)
    record = file.with_suffix(".json")
    for content in ("", "[]", "{}", "null"):
        record.write_text(content)
        with pytest.raises(ValueError, match=r"^3\.json is unreadable; make it again\.$"):
            files.read_arrays(file, REMEDY)
    record.unlink()
    with pytest.raises(ValueError, match=r"^3\.json is missing; make it again\.$"):
        files.read_arrays(file, REMEDY)


def test_a_sealed_file_comes_back_and_a_changed_one_does_not(tmp_path):
    content = {"b": [1, 2.5, "\u03c3"], "a": {"deep": None}}
    file = files.write_sealed(tmp_path / "a.json", content)
    assert files.read_sealed(file, REMEDY) == content and list(json.loads(file.read_text())) == ["b", "a", files.SEAL]
    changed = file.read_text().replace("2.5", "2.6")
    file.write_text(changed)
    with pytest.raises(ValueError, match=r"^a\.json is damaged: its SHA-256 is not the recorded one; make it again\.$"):
        files.read_sealed(file, REMEDY)
    files.seal(file)
    assert files.read_sealed(file, REMEDY)["b"][1] == 2.6
    for unreadable in ("", "[1]", "1", '{"a": 1}', changed[:20]):
        file.write_text(unreadable)
        with pytest.raises(ValueError, match=r"^the list is unreadable \(a\.json\); make it again\.$"):
            files.read_sealed(file, REMEDY, name="the list")
    file.write_text("[1]")
    with pytest.raises(ValueError, match=r"^a\.json is unreadable; "):
        files.seal(file)
    file.unlink()
    with pytest.raises(ValueError, match=r"^a\.json is missing; make it again\.$"):
        files.read_sealed(file, REMEDY)


def test_an_archive_has_no_date_and_is_the_same_in_memory_and_as_a_file(tmp_path):
    entries = [("b/x.txt", b"x" * 1000), ("a", b"")]
    made = files.archive(entries)
    assert files.write_archive(tmp_path / "a.zip", iter(entries)).read_bytes() == made
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert [(e.filename, e.date_time[0], e.external_attr >> 16) for e in archive.infolist()] == [
            ("b/x.txt", 1980, 0o644),
            ("a", 1980, 0o644),
        ]
        assert archive.read("b/x.txt") == entries[0][1] and len(made) < 1000


WRITING_METHODS = {"write_text", "write_bytes", "tofile", "touch"}
SAVING = {"savez", "savez_compressed", "savetxt", "savefig"}  # of libraries, which write to a file or to a buffer
RENAMING = {("os", "replace"), ("os", "rename"), ("shutil", "move"), ("shutil", "copy"), ("shutil", "copyfile")}
OPENING = {"open", "ZipFile", "TarFile", "GzipFile", "fdopen"}


def writes(syntax):
    """Lines that write, rename or open for writing a file; what is written to a buffer in memory counts as nothing."""
    found = []
    for node in ast.walk(syntax):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        module = getattr(getattr(node.func, "value", None), "id", "")
        given = [argument.value for argument in node.args[:2] if isinstance(argument, ast.Constant)]
        given += [k.value.value for k in node.keywords if k.arg == "mode" and isinstance(k.value, ast.Constant)]
        opened = name in OPENING and any(isinstance(mode, str) and set(mode) & set("wax+") for mode in given)
        saved = name in SAVING and getattr(node.args[0], "id", "") != "buffer"
        if opened or saved or name in WRITING_METHODS or (module, name) in RENAMING:
            found.append(node.lineno)
    return found


def relative(path):
    return path.relative_to(paths.PACKAGE).as_posix()


TERMINAL = {"book/execution/execute.py"}  # hands the terminal's own stderr to the progress bar, by its number
SOURCES = sorted(paths.PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", [f for f in SOURCES if f.name != "files.py"], ids=relative)
def test_no_other_module_writes_files(path):
    found = writes(ast.parse(path.read_text()))
    assert len(found) == (relative(path) in TERMINAL), f"hand the bytes to offconvex.files: lines {found}"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("open(path, 'w')", True),
        ("open(path, mode='ab')", True),
        ("path.open('x')", True),
        ("path.write_text(text)", True),
        ("path.write_bytes(buffer)", True),
        ("folder.joinpath(name).write_bytes(data)", True),
        ("np.savez_compressed(path, **arrays)", True),
        ("np.savez_compressed(buffer, **arrays)", False),
        ("figure.savefig(path)", True),
        ("figure.savefig(buffer, format='pdf')", False),
        ("os.replace(a, b)", True),
        ("shutil.copyfile(a, b)", True),
        ("zipfile.ZipFile(path, 'w')", True),
        ("open(path)", False),
        ("open(path, 'rb')", False),
        ("open(path, newline='')", False),
        ("text.replace('a', 'w')", False),
        ("zipfile.ZipFile(path)", False),
    ],
)
def test_writing_is_found(source, found):
    assert bool(writes(ast.parse(source))) is found
