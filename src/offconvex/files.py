"""The only place that writes files: each appears whole or not at all, and equal content gives equal bytes."""

import contextlib
import errno
import hashlib
import io
import json
import os
import secrets
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO, cast

import numpy as np

Arrays = dict[str, np.ndarray]
"""Arrays by name."""

SEAL = "sha256"
"""Name of the entry that vouches for the rest of a sealed file, or for the arrays beside a record."""

_REMEDIES = {
    errno.ENOSPC: "make room there and run it again",
    errno.EDQUOT: "make room there and run it again",
    errno.EROFS: "the book writes into its checkout, so it needs one on a disk that can be written",
    errno.EACCES: "let this user read and write there, or use a checkout of your own",
    errno.EPERM: "let this user read and write there, or use a checkout of your own",
    errno.ENOTDIR: "a folder belongs there; move away the file in its place",
    errno.EEXIST: "a folder belongs there; move away the file in its place",
}


def replace(path: Path, content: bytes | str) -> Path:
    """Write a file so that it is never seen half-written, with its folder; return its path."""
    replace_all({path: content})
    return path


def replace_all(contents: Mapping[Path, bytes | str]) -> None:
    """Write files as `replace` does, in order, and none before there is room for all."""
    with contextlib.ExitStack() as stack:
        # What is entered last leaves first: so the first file is the first to be seen.
        temporaries = {path: stack.enter_context(_beside(path)) for path in reversed(list(contents))}
        for path, content in contents.items():
            temporaries[path].write_bytes(content.encode() if isinstance(content, str) else content)


def probe(folder: Path) -> None:
    """Find out whether files can be written to a folder, which is made, before hours of work depend on it.

    Raises:
        OSError: if they cannot.
    """
    with contextlib.suppress(_Enough), _beside(folder / "probe") as temporary:
        temporary.write_bytes(bytes(4096))
        raise _Enough


def reason(error: OSError) -> str:
    """Which file could not be used and why, and what to do, as the end of a sentence; or what the error says itself."""
    if error.errno is None:
        return str(error)
    place = error.filename2 or error.filename  # of a renaming, where to
    return (
        f"{f'{place}: ' if place else ''}{error.strerror}; {_REMEDIES.get(error.errno, 'mend that and run it again')}."
    )


def write_json(path: Path, content: object, *, sort: bool = False) -> Path:
    """Write JSON the one way it is committed: one line a value, and a line's end after the last."""
    return replace(path, as_json(content, sort=sort))


def as_json(content: object, *, sort: bool = False) -> str:
    """JSON as `write_json` writes it."""
    return json.dumps(content, indent=1, sort_keys=sort, ensure_ascii=False) + "\n"


def move(source: Path, target: Path) -> Path:
    """Rename a file or folder to where it belongs, in the place of a file there; return the target."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # Nothing is renamed from one disk to another: it is copied beside the target first, and seen whole there too.
        with _beside(target) as temporary:
            (shutil.copytree if source.is_dir() else shutil.copyfile)(source, temporary)
        _remove(source)
    return target


def log(path: Path) -> TextIO:
    """A file open for text that is read while it grows: the one kind that is not replaced as a whole."""
    return open(path, "w", encoding="utf-8")


def digest(content: bytes) -> str:
    """SHA-256 of a file's bytes, as hexadecimal text."""
    return hashlib.sha256(content).hexdigest()


def write_sealed(path: Path, content: Mapping[str, object]) -> Path:
    """Write a JSON object with one more entry, the checksum of all others."""
    return write_json(path, {**content, SEAL: _seal(content)})


def seal(path: Path) -> Path:
    """Write the checksum of a sealed file anew, whatever it says now: after a merge, for example.

    Raises:
        ValueError: if the file holds no JSON object.
    """
    content = _read_object(path, "take it back from the repository.")
    return write_sealed(path, {name: entry for name, entry in content.items() if name != SEAL})


def read_sealed(path: Path, remedy: str, *, name: str = "") -> dict:
    """Content of a file that `write_sealed` wrote, without its checksum.

    Args:
        path: the file.
        remedy: what to do when it cannot be used, as the end of a sentence.
        name: what the sentence calls it; by default the file's name.

    Raises:
        ValueError: if it is missing, unreadable or altered, in one sentence.
    """
    content = _read_object(path, remedy, name, SEAL)
    if content.pop(SEAL) != _seal(content):
        raise _fault("damaged: its SHA-256 is not the recorded one", path, remedy, name)
    return content


def pack(arrays: Arrays) -> bytes:
    """Arrays as the bytes of a compressed .npz; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **cast(dict[str, Any], arrays))
    return buffer.getvalue()


def unpack(content: bytes) -> Arrays:
    """Inverse of `pack`."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def write_arrays(path: Path, arrays: Arrays, about: Mapping[str, object]) -> Path:
    """Write arrays as `path`, an .npz, and what is said of them as .json beside it, which vouches for their bytes."""
    content = pack(arrays)
    replace_all({path: content, path.with_suffix(".json"): as_json({**about, SEAL: digest(content)})})
    return path


def read_arrays(path: Path, remedy: str, *, name: str = "") -> tuple[Arrays, dict]:
    """Arrays that `write_arrays` wrote, and what is said of them.

    Args:
        path: the arrays' file.
        remedy: what to do when they cannot be used, as the end of a sentence.
        name: what the sentence calls them; by default the file's name.

    Raises:
        ValueError: if one of the two files is missing or unreadable, or they do not belong together, in one sentence.
    """
    content, about = _read(path, remedy, name), _read_object(path.with_suffix(".json"), remedy, name, SEAL)
    if about.pop(SEAL) != digest(content):
        raise _fault("damaged: its SHA-256 is not the recorded one", path, remedy, name)
    return unpack(content), about


def archive(entries: Iterable[tuple[str, bytes]], *, mode: int = 0o644) -> bytes:
    """A compressed zip archive of the entries, names and contents, in their order; entries have no date of their own.

    Args:
        entries: names and contents.
        mode: rights that the entries are unpacked with.
    """
    buffer = io.BytesIO()
    _archive(buffer, entries, mode)
    return buffer.getvalue()


def write_archive(path: Path, entries: Iterable[tuple[str, bytes]]) -> Path:
    """Write an archive as `archive` makes it, one entry in memory at a time."""
    with _beside(path) as temporary, open(temporary, "wb") as file:
        _archive(file, entries, 0o644)
    return path


def _archive(file, entries: Iterable[tuple[str, bytes]], mode: int) -> None:
    with zipfile.ZipFile(file, "w") as made:
        for name, content in entries:
            entry = zipfile.ZipInfo(name)  # dated 1980, the earliest there is: equal content gives equal bytes
            entry.external_attr = mode << 16
            made.writestr(entry, content, zipfile.ZIP_DEFLATED)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    # A name of its own: two writers never share one. What a killed process leaves, nothing reads and git ignores.
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException as error:
        _remove(temporary)
        if isinstance(error, OSError) and error.errno and str(error.filename) in ("None", str(temporary)):
            # A full disk names no file, and other errors the passing name.
            error.filename, error.filename2 = str(path), None
        raise


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # what remains is ignored, and must not hide why
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


class _Enough(Exception):
    """A probe leaves nothing."""


def _read(path: Path, remedy: str, name: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise _fault("missing", path, remedy, name) from None
    except OSError:
        raise _fault("unreadable", path, remedy, name) from None


def _read_object(path: Path, remedy: str, name: str = "", *entries: str) -> dict:
    try:
        content = json.loads(_read(path, remedy, name))
    except (json.JSONDecodeError, UnicodeDecodeError):
        content = None
    if not isinstance(content, dict) or not content.keys() >= set(entries):
        raise _fault("unreadable", path, remedy, name)
    return content


def _fault(what: str, path: Path, remedy: str, name: str) -> ValueError:
    name = name or path.name
    return ValueError(f"{name} is {what}{'' if path.name in name else f' ({path.name})'}; {remedy}")


def _seal(content: Mapping[str, object]) -> str:
    return digest(json.dumps(content, sort_keys=True).encode())
