"""What made a result: code, machine, versions, duration."""

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

from offconvex import __version__, paths
from offconvex.book import repository

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
        **_state(*CODE),
        "seed": parameters.get("seed"),
        "profile": parameters.get("profile"),
        "device": _device_name(str(parameters.get("device", "cpu"))),
        "cpu": _cpu_name(),
        "system": f"{platform.system()} {platform.machine()}",
        **software(),
    }


def software() -> dict:
    """Versions of this Python and of the packages that it finds."""
    return {"python": platform.python_version(), "packages": _versions(PACKAGES)}


def machine() -> dict:
    """Record of a run of the benchmarks that begins now: when, with which code, on which machine."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **_state("src", "benchmarks", "requirements.txt"),
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


def _state(*places: str) -> dict[str, object]:
    # An archive without git history has no commit to name, and nothing tells whether it was changed.
    root = paths.require_project_root()
    changed = repository.changes(root, *places)
    return {"commit": repository.commit(root), "dirty": None if changed is None else bool(changed)}


def _device_name(device: str) -> str:
    if device == "cpu":
        return device
    import torch

    from offconvex import runtime

    used = runtime.resolve(device).device  # "auto" is a wish; the record names what computed
    return f"{used} ({torch.cuda.get_device_name(used)})" if used.type == "cuda" else str(used)


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
