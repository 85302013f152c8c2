"""The book's own git repository: what it says, or that there is none.

git would look on in the folders above and obey the variables of a hook that runs it, and so name the commit of whatever
repository an unpacked book happens to lie in. Here it is asked about the checkout's own `.git` and nothing else.
"""

import os
import subprocess
from pathlib import Path


def ask(root: Path, *arguments: str) -> bytes | None:
    """What git prints about the repository whose top is `root`; None without git, without one, or if it fails."""
    # Those of a hook (GIT_DIR, GIT_INDEX_FILE, ...) belong to another call; this one says where git's own programs are.
    surroundings = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k == "GIT_EXEC_PATH"}
    command = ["git", "--no-optional-locks", f"--git-dir={root / '.git'}", f"--work-tree={root}", *arguments]
    try:
        return subprocess.run(command, cwd=root, env=surroundings, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def commit(root: Path) -> str | None:
    """The commit that is checked out, in full; None if the book has no history here."""
    said = ask(root, "rev-parse", "--verify", "HEAD")
    return said.decode().strip() if said else None


def changes(root: Path, *places: str) -> list[str] | None:
    """Lines on what differs from the commit, new files included, in the whole checkout or some places of it.

    None if it cannot be known: without a commit, nothing says what was changed.
    """
    said = ask(root, "status", "--porcelain", "--untracked-files=normal", "--", *places) if commit(root) else None
    return None if said is None else said.decode(errors="replace").splitlines()
