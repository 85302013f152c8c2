"""Patches of photographs as public images: of a photograph that comes with Matplotlib, or of the reader's own."""

from pathlib import Path

import matplotlib
import numpy as np
import PIL
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from offconvex import rng
from offconvex.runtime import Runtime

SIZE = 28
FLAT = 25.0  # gray levels of 255; patches that vary less are dropped, as the source drops flat ones
LARGEST = 4  # a patch shows up to this many times its size of the photograph
ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp")


def supplied() -> Path:
    """The photograph that Matplotlib brings as sample data, in the public domain: a portrait of Grace Hopper."""
    return Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"


def pool(source: str | Path, count: int, rt: Runtime) -> Float[Tensor, "{count} 28 28"]:
    """Public images: the same `count` patches (count, 28, 28) in [-1, 1] at every call, of `source` as in `patches`.

    Raises:
        FileNotFoundError, ValueError: as `patches`.
    """
    return 2 * (rt.tensor(patches(source, count, 0)) / 255) - 1


def patches(source: str | Path, count: int, seed: int) -> UInt8[np.ndarray, "{count} 28 28"]:
    """Random square patches (count, 28, 28) of photographs, uint8 gray levels.

    A patch is a square of random size, 28 to 112 pixels but no more than the photograph has, at a random place of a
    random photograph, perhaps mirrored, averaged down to 28 x 28. Flat ones, standard deviation below 25, are dropped.

    Args:
        source: an image, a folder of images, or an .npy file of gray levels (m, height, width), uint8.
        count: of patches.
        seed: of the draws.

    Raises:
        FileNotFoundError: if there is no such file or folder.
        ValueError: if it holds no image, one that cannot be read, that is smaller than a patch, or is flat.
    """
    if count < 1:
        raise ValueError(f"Expected a positive number of patches; got {count}.")
    photographs = read(source)
    draws = rng.numpy_generator(seed, "photographs")
    found, tried = [], 0
    while len(found) < count:
        if tried >= 100 * count:
            raise ValueError(
                f"{source} is too flat: of {tried} patches only {len(found)} have a standard deviation of {FLAT:.0f} "
                "gray levels; give photographs with more detail."
            )
        photograph = photographs[draws.integers(len(photographs))]
        patch = _patch(photograph, draws)
        tried += 1
        if patch.std() >= FLAT:
            found.append(patch)
    return np.stack(found)


def _patch(photograph: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    height, width = photograph.shape
    side = int(draws.integers(SIZE, min(LARGEST * SIZE, height, width) + 1))
    top, left = int(draws.integers(height - side + 1)), int(draws.integers(width - side + 1))
    square = photograph[top : top + side, left : left + side]
    if draws.random() < 0.5:
        square = square[:, ::-1]
    return np.asarray(Image.fromarray(np.ascontiguousarray(square)).resize((SIZE, SIZE), Image.Resampling.BOX))


def read(source: str | Path) -> list[UInt8[np.ndarray, "_ _"]]:
    """Photographs (height, width), uint8 gray levels, of an image, a folder of images or an .npy file, sorted by name.

    Raises:
        FileNotFoundError: if there is no such file or folder.
        ValueError: if it holds no image, or one that cannot be read or is smaller than a patch.
    """
    path = Path(source).expanduser()
    if not path.exists():
        raise FileNotFoundError(
            f"Expected a photograph, a folder of them or an .npy file at {path}, where nothing is; correct the path."
        )
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in ENDINGS)
        if not files:
            raise ValueError(f"{path} holds no photograph; put files there that end in {', '.join(ENDINGS)}.")
        photographs = [(file, _gray(file)) for file in files]
    elif path.suffix == ".npy":
        photographs = [(path, image) for image in _array(path)]
    else:
        photographs = [(path, _gray(path))]
    for file, image in photographs:
        if min(image.shape) < SIZE:
            raise ValueError(
                f"{file} has {image.shape[0]} x {image.shape[1]} pixels and a patch needs {SIZE} x {SIZE}; remove it "
                "or give a larger one."
            )
    return [image for _, image in photographs]


def _gray(file: Path) -> np.ndarray:
    try:
        with Image.open(file) as image:
            return np.asarray(image.convert("L"))
    except (PIL.UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file} cannot be read as an image ({type(error).__name__}); remove or replace it.") from None


def _array(file: Path) -> np.ndarray:
    remedy = "save gray levels 0 to 255 with numpy.save"
    try:
        images = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise ValueError(f"{file} cannot be read as an array; {remedy}.") from None
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 3 or not len(images):
        kind = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else "an archive"
        raise ValueError(f"{file} must hold gray levels (m, height, width) of type uint8; got {kind}; {remedy}.")
    return images
