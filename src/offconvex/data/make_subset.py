"""Make the part of Fashion-MNIST inside the package: `python -m offconvex.data.make_subset [FILE]`."""

import sys
from pathlib import Path

from offconvex import datasets, files


def make(path: Path) -> str:
    """Write the first images and labels of each full split to `path`, uint8; return the file's SHA-256."""
    arrays = {}
    for split, size in datasets.SUBSET_SIZES.items():
        images, labels = datasets.full_arrays(split)
        arrays[f"{split}_images"], arrays[f"{split}_labels"] = images[:size], labels[:size]
    return files.digest(files.replace(path, files.pack(arrays)).read_bytes())


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else datasets.SUBSET
    print(f"{target}: SHA-256 {make(target)} (datasets.SUBSET_SHA256 must say the same)")
