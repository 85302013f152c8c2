"""Which wheels the pins have for every supported Python and platform; `python tests/wheels.py` writes `wheels.json`.

The command asks the package index that pip is set up with, for one file of every pin, version and platform. It builds
and installs nothing, takes some minutes, and ends where a pin has no wheel.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from urllib.parse import unquote

from packaging import tags
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).resolve().parents[1]
FILE = Path(__file__).with_suffix(".json")
PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([0-9][A-Za-z0-9.]*)(; *[^#]+)?")

PYTHONS = ("3.11.0", "3.11.5", "3.12.0", "3.13.0", "3.14.0")
"""A first release of every supported version, and those from which on a marker says otherwise."""
GLIBC = (28, 27, 26, 24, 17, 12, 5)
PLATFORMS = {
    "Linux x86_64": [*(f"manylinux_2_{n}_x86_64" for n in GLIBC), *(f"manylinux{y}_x86_64" for y in (2014, 2010, 1))],
    "Linux aarch64": [*(f"manylinux_2_{n}_aarch64" for n in GLIBC), "manylinux2014_aarch64"],
    "macOS arm64": list(tags.mac_platforms((15, 0), "arm64")),
}
"""Tags of the platforms that a machine of each kind takes: any Linux since glibc 2.28, and macOS 15."""


def pins(text: str) -> list[Requirement]:
    """Every line of a requirements file.

    Raises:
        ValueError: if a line is no exact pin, or a package has two under one Python.
    """
    found: list[Requirement] = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        if PIN.fullmatch(line) is None:
            raise ValueError(
                f"requirements.txt, line {number}: expected name==version without a +suffix; got {line!r}."
            )
        pin = Requirement(line)
        others = [other for other in found if canonicalize_name(other.name) == canonicalize_name(pin.name)]
        if any(applies(pin, python) and applies(other, python) for other in others for python in PYTHONS):
            raise ValueError(f"requirements.txt, line {number}: {pin.name} is pinned twice.")
        found.append(pin)
    return found


def applies(requirement: Requirement, python: str) -> bool:
    """Whether a requirement is one under a version of Python, given as in `PYTHONS`."""
    version = {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    return requirement.marker is None or requirement.marker.evaluate(version | {"extra": ""})


def fits(wheels: list[str], python: str, platform: str) -> bool:
    """Whether one of some wheels, given by their tags, installs under a version of Python on one of `PLATFORMS`."""
    version, platforms = tuple(map(int, python.split(".")[:2])), PLATFORMS[platform]
    taken = {*tags.cpython_tags(version, platforms=platforms), *tags.compatible_tags(version, platforms=platforms)}
    return any(taken & tags.parse_tag(wheel) for wheel in wheels)


def name(pin: Requirement) -> str:
    """What a pin is called in `wheels.json`."""
    return f"{canonicalize_name(pin.name)}{pin.specifier}"


def ask(pinned: Iterable[Requirement], python: str, platform: str) -> Iterator[tuple[str, str]]:
    """Names of some pins, and the tags of the wheel that pip takes of each."""
    asked = {canonicalize_name(pin.name): name(pin) for pin in pinned}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "-qq", "--dry-run", "--ignore-installed", "--no-deps"]
        command += ["--only-binary", ":all:", "--target", folder, "--report", str(report), "--python-version", python]
        command += ["--implementation", "cp", *(f"--platform={tag}" for tag in PLATFORMS[platform]), *asked.values()]
        subprocess.run(command, check=True)
        for item in json.loads(report.read_text(encoding="utf-8"))["install"]:
            file = unquote(item["download_info"]["url"]).rpartition("/")[2]
            package, *_ = parse_wheel_filename(file)
            yield asked[package], "-".join(file.removesuffix(".whl").split("-")[-3:])


def main() -> int:
    """Write `wheels.json`."""
    pinned = pins((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    found: dict[str, list[str]] = {name(pin): [] for pin in pinned}
    for platform, python in product(PLATFORMS, PYTHONS):
        # Markers are looked at here, since pip would look at them for the interpreter that runs it.
        missing = [pin for pin in pinned if applies(pin, python) and not fits(found[name(pin)], python, platform)]
        print(f"{platform}, Python {python}: {len(missing)} pins to ask for", flush=True)
        try:
            for pin, wheel in ask(missing, python, platform) if missing else ():
                found[pin].append(wheel)
        except subprocess.CalledProcessError:
            print(f"A pin has no wheel for Python {python} on {platform}, see above; {FILE.name} is left as it was.")
            return 1
    rows = (f" {json.dumps(pin)}: {json.dumps(sorted(wheels))}" for pin, wheels in sorted(found.items()))
    FILE.write_text("{\n" + ",\n".join(rows) + "\n}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
