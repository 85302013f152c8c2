"""A git history for a book in a temporary folder, for tests of what names commits."""

import os
import subprocess
from pathlib import Path

NOBODY = ("-c", "user.name=a", "-c", "user.email=a@example.org")


def git(root: Path, *arguments: str) -> str:
    """Run git below `root`, without the reader's settings and whatever hook runs the tests; what it prints."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    plain |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(["git", *NOBODY, *arguments], cwd=root, env=plain, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def begin(root: Path) -> str:
    """Make `root` a repository with all its files in one commit; the commit."""
    root.mkdir(exist_ok=True)
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", f"all of {root.name}")
    return git(root, "rev-parse", "HEAD")
