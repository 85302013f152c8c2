"""Lints the code cells of the chapters' sources, which ruff cannot read as they are; `make lint` runs this.

The cells of a source go to `_build/cells`, every other line left empty: ruff's line numbers are the source's own.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
RULES = [
    "--select=E,F",
    "--ignore=E402,F811",
]  # E402: the cell of parameters stands before the imports; F811: the model cell imports NumPy for itself, as a reader
# would copy it; I: it would take a line for each name
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(?:---\n.*?^---\n)?(?::[^\n]*\n)*(?P<code>.*?)^```$", re.M | re.S)


def code_alone(text: str) -> str:
    """A MyST source whose lines outside the code of its cells are empty."""
    kept, place = [], 0
    for cell in CELL.finditer(text):
        kept += ["\n" * text.count("\n", place, cell.start("code")), cell["code"]]
        place = cell.end("code")
    return "".join(kept)


def main(sources: Path = ROOT / "book/sources", folder: Path = ROOT / "_build/cells") -> int:
    """Write the cells of all sources, and lint them by the project's own settings."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{source.stem}.py" for source in sorted(sources.glob("*.md"))]
    for file in files:
        file.write_text(code_alone((sources / f"{file.stem}.md").read_text(encoding="utf-8")), encoding="utf-8")
    ruff = [Path(sys.executable).with_name("ruff"), "check", "--config", ROOT / "pyproject.toml"]
    return subprocess.run([*ruff, *RULES, *files], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
