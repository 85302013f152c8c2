"""The source's own widths: a stored experiment, and the slice of it that is repeated live."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Shaped

from offconvex import configs, runtime
from offconvex.descent import GroupRMSprop
from offconvex.factorizations.hierarchical import measure as hierarchical_measure
from offconvex.factorizations.hierarchical.incremental import TreeLearned, TreeLearning, learn_trees
from offconvex.factorizations.hierarchical.task import TreeCompletion
from offconvex.stored import StoredExperiment

STREAM = "wide"


@dataclass(frozen=True)
class Wide:
    """Figure 4 of razin2022post.

    Attributes:
        learning: the run of one task, with 512 local components at every node, which restricts nothing. At the start
            all gradients are far below the floor of the adaptive step, which makes the first plateau some 8,000
            iterations long.
        precision: of weights and gradients, "float32" as in the source or "float64". On a processor the run takes
            nearly three times as long in float64.
        replicas: independent tasks.
        thinning: records between the kept points of the curves.
        slice_steps: iterations of the first task that the chapter repeats.
        seed: of targets, observed entries and starts.
        device: where to run.
    """

    learning: TreeLearning = TreeLearning(
        task=TreeCompletion(width=512), rule=GroupRMSprop(rate=1e-2, floor=1e-6), steps=40_000, kept=10
    )
    precision: str = "float32"
    replicas: int = 2
    thinning: int = 40
    slice_steps: int = 160
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self):
        if min(self.replicas, self.thinning, self.slice_steps) < 1:
            raise ValueError("`replicas`, `thinning` and `slice_steps` must be at least 1.")
        if self.precision not in ("float32", "float64"):
            raise ValueError(f"`precision` must be 'float32' or 'float64'; got {self.precision!r}.")
        second, last = self.thinning * self.learning.record_every, self.learning.steps
        if not second < self.slice_steps <= last:
            raise ValueError(
                "A slice must end between the second stored point and the last step, "
                f"{second} < `slice_steps` <= {last}; got {self.slice_steps}."
            )

    def settings(self) -> dict[str, object]:
        """What the stored result is known by."""
        start = ("learning.task", "learning.std", "learning.rule.rate", "learning.rule.floor")
        lengths = ("learning.steps", "learning.finish_steps", "replicas", "learning.record_every")
        return configs.flat(self, (*start, "precision", *lengths, "thinning", "slice_steps", "seed", "device"))


def parts(config: Wide) -> dict[str, tuple[int]]:
    """One part per task."""
    return {str(replica): (replica,) for replica in range(config.replicas)}


def run_part(config: Wide, replica: int) -> dict[str, Shaped[np.ndarray, "..."]]:
    """Curves, thinned, and end state of one task."""
    rt = runtime.resolve(config.device, getattr(torch, config.precision))
    (run,) = learn_trees(config.learning, rt, config.seed, stream=STREAM, replicas=range(replica, replica + 1))
    rows, end = slice(None, None, config.thinning), config.slice_steps // config.learning.record_every
    return {
        "iterations": run.iterations[rows],
        "root": run.norms[rows].astype(np.float32),
        "inner": run.inner[rows].astype(np.float32),
        "law": run.law[rows].astype(np.float32),
        "error": run.error[rows],
        "law_deviation": np.asarray(run.law_deviation),
        "final_root": run.final,
        "final_inner": run.final_inner,
        "final_all": np.sort(run.all_final)[::-1],
        "final_error": np.asarray(run.final_error),
        "slice": run.curves["norms"][[0, end - config.thinning, end]],
        "split_values": split_values(run.tensor),
        "target_split_values": split_values(run.target),
    }


def split_values(tensor: Float[np.ndarray, "d d d d"]) -> Float[np.ndarray, "3 d*d"]:
    """Singular values of a tensor over four axes across its three even splits: 01|23, 02|13 and 03|12, (3, D)."""
    whole = torch.from_numpy(tensor)[None]
    return torch.stack([hierarchical_measure.split_values(whole, (0, other))[0] for other in (1, 2, 3)]).numpy()


def repeat_slice(config: Wide) -> TreeLearned:
    """The first task again, over the first `slice_steps` iterations, in float64."""
    short = replace(config.learning, steps=config.slice_steps, finish_steps=1)
    return learn_trees(short, runtime.resolve(config.device), config.seed, stream=STREAM)[0]


def tail(values: Float[np.ndarray, "S D"], rank: int) -> Float[np.ndarray, " S"]:
    """Share of the norm beyond the `rank` largest singular values, one number for each row of values (S, D)."""
    return np.sqrt((values[:, rank:] ** 2).sum(1) / (values**2).sum(1))


@dataclass(frozen=True)
class SliceDistance:
    """A repeated slice against the stored run: how far the norms of all the root's local components have moved.

    Attributes:
        distance: of the repeated norms from the stored ones, over the length of the stored way.
        control: the same from the norms one stored point earlier.
    """

    distance: float
    control: float


def slice_distance(arrays: dict[str, Shaped[np.ndarray, "..."]], again: TreeLearned) -> SliceDistance:
    """Compare the ways from the start rather than the norms, most of which hardly move on the first plateau."""
    first, earlier, last = arrays["slice"][0]
    way, own = np.linalg.norm(last - first), again.curves["norms"][-1] - again.curves["norms"][0]
    return SliceDistance(*(float(np.linalg.norm(own - (end - first)) / way) for end in (last, earlier)))


WIDE = StoredExperiment("hierarchical-wide", "hierarchical-tensor-factorization", Wide(), parts, run_part)
