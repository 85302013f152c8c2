"""Truncated and bit-flipped files: one clear error or the same content, and never silently other numbers."""

import dataclasses
import gzip
import hashlib
import json

import damage
import numpy as np
import pytest
import tiny_project

from offconvex import datasets, figures, files, stored
from offconvex.book.command_line import main
from offconvex.book.execution import checksums, execute, sweep
from offconvex.book.publication import catalog

SEED = 20260


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """A project whose chapter was executed, and the environment that makes the package work on it."""
    with pytest.MonkeyPatch.context() as patch:
        root = tiny_project.make(tmp_path_factory.mktemp("executed") / "project")
        patch.setenv("OFFCONVEX_ROOT", str(root))
        EXPERIMENT.save(ARRAYS, {"commit": "abc", "computing_seconds": 12.5})
        (job,) = execute.plan(["tiny"], given=[], profile=None, device=None)
        assert execute.execute(job).error == ""
        yield root


@dataclasses.dataclass(frozen=True)
class Config:
    seeds: tuple[int, ...] = (3, 14, 15)
    factor: float = 2.5


ARRAYS = {"value": np.linspace(0, 1, 40), "name": np.array(["one", "two"]), "count": np.arange(6).reshape(2, 3)}
EXPERIMENT = stored.StoredExperiment("doubling", "tiny", Config(), None, None, None)


def equal(found, wanted):
    return list(found) == list(wanted) and all(
        found[name].dtype == wanted[name].dtype and np.array_equal(found[name], wanted[name]) for name in wanted
    )


@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_a_stored_experiment_and_its_record(executed, suffix):
    file = executed / f"book/results/tiny/stored-doubling{suffix}"
    whole = file.read_bytes()

    def read(content):
        file.write_bytes(content)
        return EXPERIMENT.load()

    def same(found):
        # Where it came from is vouched for by the chapter's checksums, below.
        return equal(found.arrays, ARRAYS) and found.config == Config()

    try:
        assert damage.harm(read, whole, same, flips=400, cuts=40, seed=SEED) == []
    finally:
        file.write_bytes(whole)


@pytest.mark.parametrize("kind", ["numbers", "grid"])
def test_the_arrays_behind_a_figure(executed, tmp_path, kind):
    """Alone they may be read as others, since text has no checksum; never beside the chapter's checksums."""
    arrays = {"x": np.linspace(0, 1, 30), "y": np.arange(30.0)}
    content = figures._csv(arrays) if kind == "numbers" else figures._npz(arrays | {"grid": np.ones((4, 5))})
    file = executed / "book/results/tiny" / ("fig-a.csv" if kind == "numbers" else "fig-a.npz")
    file.write_bytes(content)
    checksums.write("tiny", executed)

    def read(content):
        file.write_bytes(content)
        wrong = checksums.faults("tiny")
        if wrong:
            raise ValueError(wrong[0])

    try:
        assert damage.harm(read, content, lambda found: False, flips=200, cuts=20, seed=SEED) == []
        for _, copy in damage.copies(content, flips=600, cuts=40, seed=SEED + 1):
            file.write_bytes(copy)
            try:
                figures.read_data(file)  # may succeed
            except ValueError as error:
                assert "unreadable figure data" in str(error) and "execute the chapter again" in str(error)
    finally:
        file.unlink()
        checksums.write("tiny", executed)


def test_every_committed_file_of_a_chapter_is_vouched_for(executed, capsys):
    files = [executed / "book/chapters/tiny.ipynb", *(executed / "book/results/tiny").iterdir()]
    names = {file.name for file in files}
    assert {"tiny.ipynb", "claims.json", "provenance.json", "checksums.json", "stored-doubling.json"} <= names
    assert checksums.faults("tiny") == []
    for number, file in enumerate(sorted(files)):
        whole = file.read_bytes()
        for what, content in damage.copies(whole, flips=40, cuts=5, seed=SEED + number):
            file.write_bytes(content)
            wrong = checksums.faults("tiny")
            # A flipped bit in an entry of the checksums themselves accuses the file that it belongs to.
            assert wrong and (file.name == checksums.FILE or f" {file.name} " in wrong[0]), f"{file.name}, {what}"
            assert all("\n" not in fault and "offconvex execute tiny" in fault for fault in wrong)
        file.unlink()
        assert checksums.faults("tiny") == [
            f"tiny: {file.name} is missing; take it back from the repository, or run `offconvex execute tiny`."
        ] or (file.name == checksums.FILE and "is missing or unreadable" in checksums.faults("tiny")[0])
        file.write_bytes(whole)
    stray = executed / "book/results/tiny/fig-stray.csv"
    stray.write_text("x\n1\n")
    (fault,) = checksums.faults("tiny")
    assert "fig-stray.csv was not written by the chapter's last execution" in fault
    stray.unlink()
    assert checksums.faults("tiny") == [] == checksums.faults("never-executed")
    assert main(["seal"]) == 0 and checksums.faults("tiny") == []


def test_the_comparison_names_a_damaged_committed_file(executed, capsys):
    file = executed / "book/results/tiny/provenance.json"
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b'"seed": 0', b'"seed": 1'))
    live = executed / "_build/live/tiny"
    live.mkdir(parents=True, exist_ok=True)
    for name in ("claims.json", "fig-tiny-line.csv"):
        (live / name).write_bytes((file.parent / name).read_bytes())
    assert main(["compare", "tiny"]) == 1
    assert "provenance.json is damaged" in capsys.readouterr().out
    file.write_bytes(whole)
    assert main(["compare", "tiny"]) == 0


@pytest.mark.parametrize("name", ["claims.json", "tiny.ipynb"])
def test_a_file_that_is_no_json_any_more_is_one_sentence(executed, name):
    file = executed / ("book/chapters" if name.endswith("ipynb") else "book/results/tiny") / name
    whole = file.read_bytes()
    read = catalog.chapters if name.endswith("ipynb") else lambda: catalog.record("tiny", name)
    for content in (whole[:-9], b"", b"[]", b"\xff" + whole):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=f"{name} of tiny is unreadable; take it back .* `offconvex execute tiny`"):
            read()
    file.write_bytes(whole)
    read()


def test_a_sweep(executed):
    claims = {"tiny.slope": {"observed": 2.0125, "control": 3.5}}
    record = {"claims": claims, "error": "", "code": "0123", "seconds": 1.5, "date": "2031-02-03"}
    file = executed / "book/results/tiny/sweep.json"
    sweep.save("tiny", {2: record, 0: record | {"seconds": 2.25}})
    whole = file.read_bytes()
    wanted = sweep.load("tiny")
    assert list(wanted) == [0, 2] and list(json.loads(whole)) == ["0", "2", files.SEAL]

    def read(content):
        file.write_bytes(content)
        return sweep.load("tiny")

    assert damage.harm(read, whole, lambda found: found == wanted, flips=1500, cuts=60, seed=SEED) == []
    file.write_text(json.dumps({"2": record}))  # nothing vouches for it
    with pytest.raises(ValueError, match="sweep.json of tiny is unreadable; take it back"):
        sweep.load("tiny")
    file.unlink()


def test_the_published_files_of_a_data_set(rt, tmp_path, monkeypatch):
    """The archive's own remarks (date, system) are no data: a flip there is read as the same images."""
    images = np.random.default_rng(SEED).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    contents = bytes(16) + images.tobytes(), bytes(8) + bytes([3, 7, 1])
    files, packed = [], []
    for file, content in zip(datasets._FILES["test"], contents):
        packed.append(gzip.compress(content, mtime=77))
        hashes = {"packed": hashlib.sha256(packed[-1]).hexdigest(), "content": hashlib.sha256(content).hexdigest()}
        files.append(dataclasses.replace(file, shape=(3, *file.shape[1:]), **hashes))
        (tmp_path / file.name).write_bytes(packed[-1])
    monkeypatch.setattr(datasets, "_FILES", {"test": tuple(files)})
    monkeypatch.setenv(datasets.VARIABLE, str(tmp_path))

    def same(found):
        return np.array_equal(found[0], images) and found[1].tolist() == [3, 7, 1]

    for file, whole in zip(files, packed):

        def read(content, place=tmp_path / file.name):
            place.write_bytes(content)
            return datasets.full_arrays("test")

        assert same(read(whole))
        every = [bytes([*whole[:i], whole[i] ^ (1 << b), *whole[i + 1 :]]) for i in range(18) for b in range(8)]
        assert all(_refused(read, content) or same(read(content)) for content in every)
        assert damage.harm(read, whole, same, flips=300, cuts=60, seed=SEED) == []
        read(whole)


def _refused(read, content):
    try:
        read(content)
    except ValueError as error:
        return " is damaged" in str(error)
    return False


def test_the_images_inside_the_package(tmp_path, monkeypatch):
    whole = datasets.SUBSET.read_bytes()
    monkeypatch.setattr(datasets, "SUBSET", tmp_path / datasets.SUBSET.name)

    def read(content):
        datasets.SUBSET.write_bytes(content)
        return datasets.subset_arrays("test")

    assert damage.harm(read, whole, lambda found: False, flips=40, cuts=8, seed=SEED) == []
