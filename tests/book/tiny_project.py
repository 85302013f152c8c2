"""A project of one small chapter in a temporary folder, for tests of the pipeline."""

import textwrap
from pathlib import Path

SOURCE = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

(tiny)=
# A tiny chapter

Parameters first.

```{code-cell} ipython3
:tags: [parameters]

seed = 0  # every random stream derives from it
device = "cpu"  # where it runs
profile = "default"
slope = 2.0  # of the line
size = 5  # points of the line
```

Open the chapter.

```{code-cell} ipython3
import numpy as np
from offconvex import chapter, claims, figures
rt = chapter.begin("tiny", seed=seed, device=device, profile=profile)
```

Draw and check.

```{code-cell} ipython3
---
mystnb:
  figure:
    name: fig-tiny-line
    caption: |
      The line is straight.
  image:
    alt: A straight line.
---
x = np.arange(size, dtype=float)
fig, axes = figures.new()
axes.plot(x, slope * x)
figures.save(fig, "fig-tiny-line", {"x": x, "y": slope * x})
```

The slope is judged.

```{code-cell} ipython3
claims.check("tiny.slope", slope)
claims.control("tiny.slope", slope + 1)
```
"""

CLAIMS = """\
["tiny.slope"]
chapter = "tiny"
kind = "claim"
sentence = "The slope is two."
source = "nobody, nowhere"
scale = "exact"
figure = "fig-tiny-line"
reason = "it is two"
measures = [{quantity = "slope", at_least = 1.5, at_most = 2.5}]
"""


VOLATILE = ("provenance.json", "checksums.json")


def make(root: Path) -> Path:
    """Write the project below `root` and return its top folder."""
    for folder in ("book/sources", "book/profiles/smoke", "book/results", "book/chapters"):
        (root / folder).mkdir(parents=True)
    (root / "_toc.yml").write_text(
        textwrap.dedent(
            """\
            format: jb-book
            root: book/index
            parts:
              - caption: Only
                chapters:
                  - file: book/chapters/tiny
            """
        )
    )
    (root / "_config.yml").write_text("title: Tiny\nrepository:\n  url: ''\n")
    (root / "book/claims.toml").write_text(CLAIMS)
    (root / "book/figures.toml").write_text("default = 1e-6\n")
    (root / "book/sources/tiny.md").write_text(SOURCE)
    (root / "book/profiles/smoke/tiny.yaml").write_text("profile: smoke\nsize: 3\n")
    return root


def snapshot(root: Path) -> dict[str, bytes]:
    """Bytes of every committed file of the chapter but its provenance, which holds a date, and the checksums."""
    files = [*(root / "book/chapters").glob("*"), *(root / "book/results/tiny").glob("*")]
    return {file.name: file.read_bytes() for file in files if file.name not in VOLATILE}
