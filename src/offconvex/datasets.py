"""Fashion-MNIST: a part of it inside the package, the full set from this machine or the network."""

import gzip
import io
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from offconvex import files, paths
from offconvex.runtime import Runtime

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
"""Names of the labels 0..9."""

SUBSET_SIZES = {"train": 10_000, "test": 2_000}
"""How many of the first images of each split the package holds."""

SUBSET = paths.PACKAGE / "data" / "fashion_mnist_subset.npz"
SUBSET_SHA256 = "d2e3082e52dc42e8731b36c46651bc201c3960ae50470802125daac2de29c144"

VARIABLE = "OFFCONVEX_DATA"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # of the Debian package dataset-fashion-mnist
ADDRESS = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"


@dataclass(frozen=True)
class Images:
    """Images of one split, in their original order.

    Attributes:
        pixels: (n, 28, 28) gray levels in [0, 1], 0 the background.
        labels: (n,) int64, the index of each image's class in `classes`.
        classes: names of the ten classes.
    """

    pixels: torch.Tensor
    labels: torch.Tensor
    classes: tuple[str, ...] = CLASSES


@dataclass(frozen=True)
class _File:
    """One published file.

    Packed files differ in their header from one distributor to the next; what they hold does not, so a file found on
    this machine is judged by its content, and a download by its bytes as well.
    """

    name: str
    packed: str  # SHA-256 of the published .gz file
    content: str  # SHA-256 of what it holds
    header: int  # bytes before the data
    shape: tuple[int, ...]


_FILES = {
    "train": (
        _File(
            "train-images-idx3-ubyte.gz",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            16,
            (60_000, 28, 28),
        ),
        _File(
            "train-labels-idx1-ubyte.gz",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            8,
            (60_000,),
        ),
    ),
    "test": (
        _File(
            "t10k-images-idx3-ubyte.gz",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            16,
            (10_000, 28, 28),
        ),
        _File(
            "t10k-labels-idx1-ubyte.gz",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            8,
            (10_000,),
        ),
    ),
}


def fashion_mnist(split: str = "train", *, full: bool = False, rt: Runtime) -> Images:
    """Images and labels of one split of Fashion-MNIST (xiao2017fashion).

    The part inside the package is the first 10,000 training and the first 2,000 test images, unchanged. The full set
    (60,000 and 10,000) is read from the folder named by OFFCONVEX_DATA, else from the Debian package
    dataset-fashion-mnist, else downloaded once.

    Args:
        split: "train" or "test".
        full: the full split rather than the part inside the package.
        rt: device and precision of the pixels.

    Raises:
        ValueError: if the split is unknown, or a file is damaged: its SHA-256 is checked at every load.
        FileNotFoundError: if a file is not there, or could not be downloaded.
    """
    if split not in _FILES:
        raise ValueError(f"`split` must be 'train' or 'test'; got {split!r}.")
    pixels, labels = full_arrays(split) if full else subset_arrays(split)
    return Images(
        pixels=rt.tensor(pixels).div_(255),
        labels=torch.as_tensor(labels.astype(np.int64), device=rt.device),
    )


def subset_arrays(split: str) -> tuple[UInt8[np.ndarray, "n 28 28"], UInt8[np.ndarray, " n"]]:
    """Images and labels inside the package.

    Raises:
        ValueError: if the file is damaged.
        FileNotFoundError: if it is missing.
    """
    remedy = "install the package again"
    content = _read(SUBSET, remedy)
    _check(content, SUBSET_SHA256, SUBSET, remedy)
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return file[f"{split}_images"], file[f"{split}_labels"]


def full_arrays(split: str) -> tuple[UInt8[np.ndarray, "n 28 28"], UInt8[np.ndarray, " n"]]:
    """Images and labels of the full split.

    Raises:
        ValueError: if a file is damaged.
        FileNotFoundError: if a file is not there, or could not be downloaded.
    """
    images, labels = (_unpack(file, _locate(file)) for file in _FILES[split])
    return images, labels


def _locate(file: _File) -> Path:
    folder = os.environ.get(VARIABLE)
    if folder:
        return Path(folder) / file.name
    if (DEBIAN_FOLDER / file.name).exists():
        return DEBIAN_FOLDER / file.name
    return _download(file)


def _download(file: _File) -> Path:
    # Imported here, since its progress bar warns on stderr in a notebook, which a chapter may not write to.
    import pooch

    folder = pooch.os_cache("offconvex") / "fashion-mnist"
    # pooch announces a download on stderr, which a chapter may not write to.
    pooch.get_logger().setLevel("WARNING")
    try:
        return Path(pooch.retrieve(ADDRESS + file.name, f"sha256:{file.packed}", fname=file.name, path=folder))
    except OSError as error:
        raise FileNotFoundError(
            f"{file.name} of the full Fashion-MNIST set is not on this machine and could not be downloaded "
            f"({type(error).__name__}); set {VARIABLE} to a folder that holds it, install the Debian package "
            "dataset-fashion-mnist, or connect to the network."
        ) from None
    except ValueError:
        raise ValueError(
            f"The download of {file.name} is not the published file (its SHA-256 differs); try again, or set "
            f"{VARIABLE} to a folder that holds the file."
        ) from None


def _unpack(file: _File, path: Path) -> np.ndarray:
    remedy = f"put the published file there, or set {VARIABLE} to a folder that holds it"
    packed = _read(path, remedy)
    try:
        content = gzip.decompress(packed)
    except (OSError, EOFError, zlib.error):
        raise ValueError(f"{path} is damaged or no gzip file; {remedy}.") from None
    _check(content, file.content, path, remedy)
    # A copy, because torch warns about the read-only view of a bytes object.
    return np.frombuffer(content, dtype=np.uint8, offset=file.header).reshape(file.shape).copy()


def _read(path: Path, remedy: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"Expected the Fashion-MNIST file {path}, which is missing; {remedy}.") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}); {remedy}.") from None


def _check(content: bytes, expected: str, path: Path, remedy: str) -> None:
    found = files.digest(content)
    if found != expected:
        raise ValueError(
            f"{path} is damaged: expected content with SHA-256 {expected[:12]}…, got {found[:12]}…; {remedy}."
        )
