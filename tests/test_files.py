"""Files appear whole or not at all, equal content gives equal bytes, and nobody else writes any."""

import ast
import io
import json
import os
import re
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


WRITERS = {
    "replace": lambda file: files.replace(file, "new"),
    "write_json": lambda file: files.write_json(file, {"new": 1}),
    "write_sealed": lambda file: files.write_sealed(file, {"new": 1}),
    "write_arrays": lambda file: files.write_arrays(file, {"new": np.arange(3.0)}, {}),
    "write_archive": lambda file: files.write_archive(file, [("new", b"1")]),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_file_that_cannot_be_put_in_place_leaves_the_old_one_and_nothing_beside_it(tmp_path, monkeypatch, write):
    file = files.replace(tmp_path / "a", "old")

    def refuse(source, target):
        raise OSError("no room")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="no room"):
        write(file)
    assert [f.name for f in tmp_path.iterdir()] == ["a"] and file.read_text() == "old"


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path, monkeypatch, write):
    file, real, made = files.replace(tmp_path / "a", "old"), os.replace, []

    def look(source, target):
        if target == file:
            made.append((file.read_text(), source.read_bytes(), source.parent))
        real(source, target)

    monkeypatch.setattr(os, "replace", look)
    write(file)
    assert made == [("old", file.read_bytes(), tmp_path)]


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


# Whatever they are called on: of paths, archives, tables, papermill and pictures.
WRITING = {
    "write_text",
    "write_bytes",
    "tofile",
    "touch",
    "rename",
    "symlink_to",
    "hardlink_to",
    "extract",
    "extractall",
}
WRITING |= {"to_csv", "to_json", "execute_notebook", "imsave", "imwrite", "NamedTemporaryFile", "mkstemp"}
# Of libraries, which write to a file or to a buffer, and where they take it; `save` is of arrays, pictures and books.
SAVING = {"savez": 0, "savez_compressed": 0, "savetxt": 0, "savefig": 0, "save": 0}
SAVING_SECOND = {("torch", "save"), ("nbformat", "write"), ("jupytext", "write")}
MOVING = {"os": r"open|replace|renames?|link|symlink", "shutil": r"move|copy\w*|make_archive|unpack_archive"}
OPENING = {"open", "ZipFile", "TarFile", "GzipFile", "fdopen"}


def buffers(syntax):
    """Names of buffers in memory."""
    made = [node for node in ast.walk(syntax) if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)]
    named = [node for node in made if re.search(r"\b(Bytes|String)IO$", ast.unparse(node.value.func))]
    return {target.id for node in named for target in node.targets if isinstance(target, ast.Name)}


def origins(syntax):
    """Where names come from: ("os", "replace") of `from os import replace`, ("numpy", "") of `import numpy as np`."""
    found = {}
    for node in ast.walk(syntax):
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name: (alias.name, "") for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            module = "offconvex" if node.level else node.module
            found |= {alias.asname or alias.name: (module, alias.name) for alias in node.names}
    return found


def writes(syntax):
    """Lines that write, rename or open for writing a file; what is written to a buffer in memory counts as nothing."""
    found, memory, known = [], buffers(syntax), origins(syntax)
    for node in ast.walk(syntax):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        root = getattr(getattr(node.func, "value", None), "id", "")
        module = known.get(root, (root, ""))[0]
        if isinstance(node.func, ast.Name) and name in known:
            module, name = known[name][0], known[name][1]
        given = [argument.value for argument in node.args[:2] if isinstance(argument, ast.Constant)]
        given += [k.value.value for k in node.keywords if k.arg == "mode" and isinstance(k.value, ast.Constant)]
        opened = name in OPENING and any(isinstance(mode, str) and set(mode) & set("wax+") for mode in given)
        place = 1 if (module, name) in SAVING_SECOND else SAVING.get(name)
        # Looked at where it is defined.
        own = module.startswith("offconvex") or (isinstance(node.func, ast.Name) and node.func.id not in known)
        saved = place is not None and not own and getattr([*node.args, None, None][place], "id", "") not in memory
        moved = re.fullmatch(MOVING.get(module, "(?!)"), name) is not None
        # That of text takes two arguments, that of a record or a date has keywords, that of a path has one argument.
        replaced = name == "replace" and len(node.args) == 1 and not node.keywords
        replaced |= name == "replace" and [k.arg for k in node.keywords] == ["target"]
        if opened or saved or moved or replaced or name in WRITING:
            found.append(node.lineno)
    return found


def relative(path):
    return path.relative_to(paths.PACKAGE).as_posix()


# Modules that write otherwise, and in how many lines: a number only falls, and a fall is written down here.
ELSEWHERE = {
    # papermill keeps the notebook of a run as it grows, in a folder of the run's own that nobody reads before `install`
    # moves it.
    "book/execution/execute.py": 1,
    "book/command_line.py": 1,  # /dev/null, for output whose reader is gone
    "book/execution/long_run.py": 1,  # StoredExperiment.save, which hands its arrays to offconvex.files
    "book/publication/release.py": 1,  # unpacks the commit into a temporary folder, which is gone when it returns
}
SOURCES = sorted(paths.PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", [f for f in SOURCES if f.name != "files.py"], ids=relative)
def test_no_other_module_writes_files(path):
    found = writes(ast.parse(path.read_text()))
    assert len(found) == ELSEWHERE.get(relative(path), 0), f"hand the bytes to offconvex.files: lines {found}"


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
        ("buffer = io.BytesIO()\nnp.savez_compressed(buffer, **arrays)", False),
        ("np.savez_compressed(buffer, **arrays)", True),
        ("np.save(path, x)", True),
        ("np.save(file=path, arr=x)", True),
        ("np.savetxt(path, x)", True),
        ("torch.save(x, path)", True),
        ("content = BytesIO()\ntorch.save(x, content)", False),
        ("content = BytesIO()\ntorch.save(content, path)", True),
        ("picture.save(path, 'PNG')", True),
        ("Image.fromarray(x).save(f'{name}.png')", True),
        ("content = io.BytesIO()\npicture.save(content, 'PNG')", False),
        ("from offconvex.book.execution import sweep\nsweep.save(chapter, records)", False),
        ("from . import checksums\nchecksums.save(folder, entries)", False),
        ("def save(folder): ...\nsave(folder)", False),
        ("from torch import save\nsave(x, path)", True),
        ("figure.savefig(path)", True),
        ("buffer = io.BytesIO()\nfigure.savefig(buffer, format='pdf')", False),
        ("path.rename(other)", True),
        ("path.replace(other)", True),
        ("path.with_suffix('.part').replace(target=path)", True),
        ("dataclasses.replace(config, seed=1)", False),
        ("files.replace(path, content)", False),
        ("date.replace(year=1980)", False),
        ("os.open(path, os.O_WRONLY)", True),
        ("import os as system\nsystem.rename(a, b)", True),
        ("from os import replace as put\nput(a, b)", True),
        ("from shutil import copytree\ncopytree(a, b)", True),
        ("shutil.copy2(a, b)", True),
        ("shutil.rmtree(a)", False),
        ("archive.extractall(folder, filter='data')", True),
        ("table.to_csv(path)", True),
        ("papermill.execute_notebook(a, b)", True),
        ("nbformat.write(notebook, path)", True),
        ("nbformat.writes(notebook, version=4)", False),
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
