"""Fashion-MNIST: known content, and one sentence for every file that is not what it should be."""

import dataclasses
import gzip
import hashlib
import os

import numpy as np
import pooch
import pytest
import requests
import torch

from offconvex import datasets, runtime
from offconvex.data import make_subset

FULL = next(
    (
        folder
        for folder in (os.environ.get(datasets.VARIABLE), datasets.DEBIAN_FOLDER)
        if folder and os.path.exists(os.path.join(folder, "train-images-idx3-ubyte.gz"))
    ),
    None,
)
needs_full = pytest.mark.skipif(
    FULL is None, reason=f"the full Fashion-MNIST set is not here: set {datasets.VARIABLE} or install its package"
)
COUNTS = {
    "train": [942, 1027, 1016, 1019, 974, 989, 1021, 1022, 990, 1000],
    "test": [200, 203, 214, 190, 219, 195, 197, 200, 194, 188],
}


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_embedded_part(rt, split):
    images = datasets.fashion_mnist(split, rt=rt)
    n = datasets.SUBSET_SIZES[split]
    assert images.pixels.shape == (n, 28, 28) and images.pixels.dtype == torch.float64
    assert images.labels.shape == (n,) and images.labels.dtype == torch.int64
    assert images.pixels.min() == 0 and images.pixels.max() == 1
    assert images.labels.bincount().tolist() == COUNTS[split]
    assert len(images.classes) == 10 and images.classes[9] == "Ankle boot"


@pytest.mark.parametrize(
    ("split", "pixels", "labels"),
    [("train", "2929ae1c7b89e0ee", "1022e4632874e71b"), ("test", "09bbac78738f0229", "a86243d2b2400909")],
)
def test_checksums(split, pixels, labels):
    images, classes = datasets.subset_arrays(split)
    assert images.dtype == classes.dtype == np.uint8
    assert (digest(images), digest(classes)) == (pixels, labels)


def test_pixels_are_gray_levels_over_255_in_the_precision_of_the_run(rt):
    images, labels = datasets.subset_arrays("test")
    double = datasets.fashion_mnist("test", rt=rt)
    np.testing.assert_array_equal(double.pixels.numpy(), images / 255)
    np.testing.assert_array_equal(double.labels.numpy(), labels)
    single = datasets.fashion_mnist("test", rt=runtime.resolve("cpu", torch.float32))
    assert single.pixels.dtype == torch.float32
    np.testing.assert_array_equal(single.pixels.numpy(), images.astype(np.float32) / np.float32(255))


def test_two_loads_share_nothing(rt):
    first = datasets.fashion_mnist("test", rt=rt)
    first.pixels.zero_()
    assert datasets.fashion_mnist("test", rt=rt).pixels.max() == 1


def test_images_cannot_be_replaced(rt):
    with pytest.raises(dataclasses.FrozenInstanceError):
        datasets.fashion_mnist("test", rt=rt).labels = None


def test_the_package_stays_small():
    assert datasets.SUBSET.stat().st_size < 8e6
    assert "Zalando" in (datasets.SUBSET.parent / "LICENSE-fashion-mnist").read_text()


@needs_full
@pytest.mark.parametrize(("split", "n"), [("train", 60_000), ("test", 10_000)])
def test_the_part_is_the_beginning_of_the_full_set(rt, split, n):
    full, part = datasets.full_arrays(split), datasets.subset_arrays(split)
    assert len(full[0]) == len(full[1]) == n and np.bincount(full[1]).tolist() == [n // 10] * 10
    for whole, beginning in zip(full, part):
        np.testing.assert_array_equal(whole[: datasets.SUBSET_SIZES[split]], beginning)
    if split == "test":
        images = datasets.fashion_mnist("test", full=True, rt=rt)
        assert images.pixels.shape == (n, 28, 28) and images.labels.tolist() == full[1].tolist()


@needs_full
def test_the_recipe_makes_the_embedded_arrays(tmp_path):
    make_subset.make(tmp_path / "made.npz")
    with np.load(tmp_path / "made.npz") as made, np.load(datasets.SUBSET) as shipped:
        # The bytes of the archive depend on the version of zlib, its arrays do not.
        assert made.files == shipped.files
        assert all(np.array_equal(made[name], shipped[name]) for name in made.files)


def test_an_unknown_split(rt):
    with pytest.raises(ValueError, match="`split` must be 'train' or 'test'; got 'valid'"):
        datasets.fashion_mnist("valid", rt=rt)


def flipped(content, at):
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def one_sentence(error):
    """No other exception stands behind the message, and it is one line."""
    return error.value.__cause__ is None and error.value.__suppress_context__ and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: flipped(c, len(c) // 2),
        lambda c: flipped(c, 0),
        lambda c: flipped(c, len(c) - 1),
        lambda c: c[: len(c) // 2],
        lambda c: c[:-1],
        lambda c: c + b"\0",
        lambda c: b"",
    ],
)
def test_a_damaged_embedded_file_is_refused(rt, tmp_path, monkeypatch, damage):
    copy = tmp_path / "fashion_mnist_subset.npz"
    copy.write_bytes(damage(datasets.SUBSET.read_bytes()))
    monkeypatch.setattr(datasets, "SUBSET", copy)
    with pytest.raises(ValueError, match=r"subset.npz is damaged: expected content with SHA-256 .*; install the"):
        datasets.fashion_mnist("test", rt=rt)


def test_a_missing_embedded_file(rt, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "SUBSET", tmp_path / "fashion_mnist_subset.npz")
    with pytest.raises(FileNotFoundError, match="which is missing; install the package again") as error:
        datasets.fashion_mnist("test", rt=rt)
    assert one_sentence(error)
    (tmp_path / "fashion_mnist_subset.npz").mkdir()
    with pytest.raises(ValueError, match="subset.npz cannot be read .*; install the package again") as error:
        datasets.fashion_mnist("test", rt=rt)
    assert one_sentence(error)


@pytest.fixture
def small_set(tmp_path, monkeypatch):
    """A published set of two images, so that the loader of full sets is tested where the full set is absent."""
    images, labels = np.arange(2 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(2, 28, 28), np.array([3, 7])
    contents = bytes(16) + images.tobytes(), bytes(8) + labels.astype(np.uint8).tobytes()
    files = []
    for file, content in zip(datasets._FILES["test"], contents):
        packed = gzip.compress(content, mtime=0)
        (tmp_path / file.name).write_bytes(packed)
        hashes = {"packed": hashlib.sha256(packed).hexdigest(), "content": hashlib.sha256(content).hexdigest()}
        files.append(dataclasses.replace(file, shape=(2, *file.shape[1:]), **hashes))
    monkeypatch.setattr(datasets, "_FILES", {"test": tuple(files)})
    monkeypatch.setenv(datasets.VARIABLE, str(tmp_path))
    return tmp_path, images, labels


def test_a_full_set_is_read_from_the_named_folder(rt, small_set):
    _, images, labels = small_set
    loaded = datasets.fashion_mnist("test", full=True, rt=rt)
    np.testing.assert_array_equal(loaded.pixels.numpy(), images / 255)
    assert loaded.labels.tolist() == labels.tolist()


def test_files_packed_by_someone_else_hold_the_same(rt, small_set):
    folder, images, _ = small_set
    file = folder / "t10k-images-idx3-ubyte.gz"
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()), compresslevel=1, mtime=77))
    loaded = datasets.fashion_mnist("test", full=True, rt=rt)
    np.testing.assert_array_equal(loaded.pixels.numpy(), images / 255)


@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"])
def test_any_damage_of_a_full_file_is_one_sentence(rt, small_set, name):
    file = small_set[0] / name
    whole = file.read_bytes()
    damaged = [whole[:cut] for cut in range(0, len(whole), 11)] + [
        whole[:-1],
        b"no gzip",
        whole + b"x",
        gzip.compress(b""),
    ]
    # Not the flag for text, the date and the compressor's name: gzip ignores them, and no data are in them.
    damaged += [flipped(whole, at) for at in range(len(whole)) if not 3 <= at < 10]
    for content in damaged:
        file.write_bytes(content)
        with pytest.raises(
            ValueError, match=f"{name} is damaged.*; put the published file there, or set OFFCONVEX"
        ) as error:
            datasets.fashion_mnist("test", full=True, rt=rt)
        assert error.value.__cause__ is None and "\n" not in str(error.value)


def test_a_missing_full_file_names_the_folder(rt, small_set):
    (small_set[0] / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match="t10k-labels-idx1-ubyte.gz, which is missing; put the") as error:
        datasets.fashion_mnist("test", full=True, rt=rt)
    assert one_sentence(error)


@pytest.fixture
def only_the_network(small_set, tmp_path_factory, monkeypatch):
    """No folder named, no package installed, an empty cache: the files of `small_set` are on the network only."""
    monkeypatch.delenv(datasets.VARIABLE)
    monkeypatch.setattr(datasets, "DEBIAN_FOLDER", small_set[0] / "absent")
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setattr(pooch, "os_cache", lambda name: cache / name)
    asked = []

    def serve(url, **_):
        asked.append(url)
        response = requests.Response()
        response.status_code, response.raw = 200, open(small_set[0] / url.rsplit("/", 1)[1], "rb")
        return response

    monkeypatch.setattr(requests, "get", serve)
    return asked


def test_the_package_comes_before_the_network(rt, small_set, only_the_network, monkeypatch):
    monkeypatch.setattr(datasets, "DEBIAN_FOLDER", small_set[0])
    assert datasets.fashion_mnist("test", full=True, rt=rt).labels.tolist() == [3, 7]
    assert not only_the_network


def test_a_download_is_checked_and_made_once(rt, only_the_network, capfd):
    for _ in range(2):
        assert datasets.fashion_mnist("test", full=True, rt=rt).labels.tolist() == [3, 7]
    assert only_the_network == [datasets.ADDRESS + f.name for f in datasets._FILES["test"]]
    assert capfd.readouterr() == ("", "")


def test_a_wrong_download_is_refused(rt, small_set, only_the_network):
    file = small_set[0] / "t10k-images-idx3-ubyte.gz"
    file.write_bytes(flipped(file.read_bytes(), 5))
    with pytest.raises(ValueError, match="download of t10k-images-idx3-ubyte.gz is not the published file") as error:
        datasets.fashion_mnist("test", full=True, rt=rt)
    assert one_sentence(error)


def test_no_network_is_one_sentence(rt, only_the_network, monkeypatch):
    def fail(*_, **__):
        raise requests.ConnectionError("Max retries exceeded\nwith a long story")

    monkeypatch.setattr(requests, "get", fail)
    with pytest.raises(
        FileNotFoundError, match=r"could not be downloaded \(ConnectionError\); set OFFCONVEX_DATA"
    ) as error:
        datasets.fashion_mnist("test", full=True, rt=rt)
    assert one_sentence(error)
