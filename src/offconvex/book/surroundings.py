"""What a kernel gets from its surroundings: where things lie, and no setting of the reader's.

A chapter's numbers, figures and outputs are the same bytes whoever executes it. So a variable reaches its kernel only
if it says where something lies, or how to reach the machine and the network. What sets up Python, IPython, Jupyter,
Matplotlib, threads, arithmetic, languages and terminals stays outside, and so does what nobody thought of; and the
kernel's Python is the one that executes the chapter, not one that the reader has registered with Jupyter.
"""

import contextlib
import importlib.util
import json
import os
import site
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from offconvex import files, paths

if TYPE_CHECKING:
    from jupyter_client.kernelspec import KernelSpec

KEPT = (
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "XDG_CACHE_HOME", "OFFCONVEX_ROOT", "OFFCONVEX_DATA"),
    *("LD_*", "DYLD_*"),  # where libraries lie: clusters need it
    *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "NVIDIA_VISIBLE_DEVICES"),
    *("*_proxy", "*_PROXY", "SSL_CERT_*", "REQUESTS_CA_BUNDLE"),
)
"""Names of the variables that say where something lies, as patterns."""

FIXED = {
    "OMP_NUM_THREADS": "1",  # at these matrix sizes a second thread slows the work down
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    # A chapter may not write to stderr, and torch speaks of an old driver there also where no GPU is asked for.
    "PYTHONWARNINGS": "ignore:CUDA initialization",
    # Matplotlib brings the fonts that it needs; reading hundreds of others is slow, which it remarks on, on stderr.
    "MPL_IGNORE_SYSTEM_FONTS": "1",
}

# What IPython's own launcher does, without what is set up for everybody on the machine, in /etc/ipython.
_LAUNCH = (
    "from IPython.core import application; application.SYSTEM_CONFIG_DIRS.clear(); "
    "from ipykernel import kernelapp; kernelapp.launch_new_instance()"
)


def variables() -> dict[str, str]:
    """Variables of a process that computes: those of this one that say where something lies, and fixed settings.

    Matplotlib and IPython keep what they like in `_build/surroundings`, and nothing in the reader's home.
    """
    kept = {name: value for name, value in os.environ.items() if any(fnmatchcase(name, each) for each in KEPT)}
    package, folder = paths.PACKAGE.parent, paths.build_folder() / "surroundings"
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if package in (Path(entry).resolve() for entry in given if entry):
        kept["PYTHONPATH"] = str(package)  # and nothing else that would come before the environment's packages
    computing = importlib.util.find_spec("ipykernel") or importlib.util.find_spec("numpy")
    if not Path(computing.origin).is_relative_to(site.getusersitepackages()):
        kept["PYTHONNOUSERSITE"] = "1"
    places = {"MPLCONFIGDIR": folder / "matplotlib", "IPYTHONDIR": folder / "ipython"}
    return kept | FIXED | {name: str(place) for name, place in places.items()}


@contextlib.contextmanager
def clean() -> Iterator[None]:
    """While it lasts, processes that this one starts get these variables and no others."""
    before, inside = dict(os.environ), variables()
    os.environ.clear()
    os.environ.update(inside)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def ask(function: Callable[[], object]) -> object:
    """What a function of this package, without arguments, returns in a kernel's Python: its packages may be others."""
    asking = f"import json; from {function.__module__} import {function.__name__} as f; print(json.dumps(f()))"
    asked = [sys.executable, "-P", "-c", asking]
    return json.loads(subprocess.run(asked, env=variables(), stdout=subprocess.PIPE, check=True).stdout)


def specification() -> "KernelSpec":
    """How a kernel starts: with this Python, and without what is set up for everybody on the machine."""
    from jupyter_client.kernelspec import KernelSpec

    return KernelSpec(
        # -P: what lies in the working directory is not taken for the standard library.
        argv=[sys.executable, "-P", "-c", _LAUNCH, "-f", "{connection_file}"],
        language="python",
        metadata={"kernel_provisioner": {"provisioner_name": "local-provisioner"}},  # whatever Jupyter's default
    )


def kernel(log: Path, given: Mapping[str, str]) -> type:
    """The class by which papermill and nbclient start a kernel: this Python, with these variables.

    Args:
        log: file for what it says about itself on stderr, outside of cells.
        given: further variables.
    """
    from jupyter_client import AsyncKernelManager

    class Kernel(AsyncKernelManager):
        kernel_spec = specification()

        async def start_kernel(self, **options):
            with files.log(log) as stderr:
                await super().start_kernel(env={**variables(), **given}, stderr=stderr, **options)

    return Kernel
