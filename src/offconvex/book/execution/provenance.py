"""What made a result: code, machine, versions, duration."""

import datetime
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from offconvex import __version__, paths

PACKAGES = ("numpy", "scipy", "torch", "matplotlib", "papermill", "jupyter-book", "nbval")
CODE = ("src", "book/sources", "book/claims.toml", "book/trials.toml", "requirements.txt")
"""What a chapter's results depend on: uncommitted changes there make the stored commit insufficient."""


def describe(chapter: str, parameters: dict[str, object], duration: float) -> dict:
    """Record of one execution, for `provenance.json`."""
    return {
        "chapter": chapter,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "duration_seconds": round(duration, 1),
        "version": __version__,
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--", *CODE)),
        "seed": parameters.get("seed"),
        "profile": parameters.get("profile"),
        "device": _device_name(str(parameters.get("device", "cpu"))),
        "cpu": _cpu_name(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": _versions(PACKAGES),
    }


def machine() -> dict:
    """Record of a run of the benchmarks that begins now: when, with which code, on which machine."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--", "src", "benchmarks", "requirements.txt")),
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{_distribution()}, {platform.machine()}",
        "python": platform.python_version(),
        "packages": _versions(("numpy", "scipy", "torch")),
    }


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()  # no Linux, or one that does not say


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    return {name: importlib.metadata.version(name).split("+")[0] for name in packages}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=paths.require_project_root(), capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None  # an archive without git history has no commit to name
    return done.stdout.strip()


def _device_name(device: str) -> str:
    if not device.startswith("cuda"):
        return device
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})"


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
