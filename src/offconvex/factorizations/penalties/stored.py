"""Stored experiments of the chapter on explicit penalties: the table and the step sizes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from offconvex import runtime
from offconvex.factorizations.penalties.experiments import Cell, Steps, Tasks, run_cell, step_sweep, with_observed
from offconvex.factorizations.penalties.measure import SCORES
from offconvex.files import Arrays
from offconvex.stored import Stored, StoredExperiment, stack

ROWS = (
    Cell("none"),
    Cell("none", depth=2),
    Cell("none", depth=2, optimizer="descent"),
    Cell("none", depth=3),
    Cell("none", depth=3, optimizer="descent"),
    Cell("nuclear"),
    Cell("nuclear", optimizer="descent"),
    Cell("nuclear", depth=3),
    Cell("nuclear", depth=3, optimizer="descent"),
    Cell("ratio"),
    Cell("ratio", optimizer="descent"),
    Cell("ratio", depth=3),
    Cell("ratio", depth=3, optimizer="descent"),
    Cell("effective rank"),
    Cell("effective rank", graduated=True),
    Cell("effective rank", optimizer="descent", graduated=True),
    Cell("normalized Schatten"),
    Cell("normalized Schatten", graduated=True),
    Cell("Schatten"),
    Cell("Schatten", graduated=True),
    Cell("Schatten", optimizer="descent", graduated=True),
    Cell("Schatten", depth=3, graduated=True),
)
"""Rows of the table."""


@dataclass(frozen=True)
class PenaltiesTable:
    """Penalty x depth x optimizer over the number of observed entries.

    Attributes:
        observed: numbers of observed entries.
        replicas: tasks for each.
        seed: of targets, masks and starts.
        device: where it runs.
    """

    observed: tuple[int, ...] = (1200, 1500, 2000, 3000, 5000)
    replicas: int = 5
    seed: int = 0
    device: str = "cpu"

    def tasks(self, observed: int) -> Tasks:
        """Tasks of one column."""
        return with_observed(Tasks(replicas=self.replicas, stream="penalties table"), observed)


def table_parts(config: PenaltiesTable) -> dict[str, tuple[Cell]]:
    """One part per row."""
    return {cell.name: (cell,) for cell in ROWS}


def run_row(config: PenaltiesTable, cell: Cell) -> Arrays:
    """Scores of one row, each (columns, replicas)."""
    rt = runtime.resolve(config.device)
    found = [run_cell(config.tasks(count), cell, rt, config.seed) for count in config.observed]
    return {name: np.stack([column[name] for column in found]) for name in SCORES}


def assemble_table(config: PenaltiesTable, results: Mapping[tuple, Arrays]) -> Arrays:
    """Scores (rows, columns, replicas), "rows" (names) and "observed"."""
    names = np.array([cell.name for (cell,) in results])
    return stack(config, results) | {"rows": names, "observed": np.array(config.observed)}


def row(table: Stored[PenaltiesTable], cell: Cell, score: str = "test") -> Float[np.ndarray, "columns replicas"]:
    """One score of one row of the stored table, (columns, replicas)."""
    return table[score][list(table["rows"]).index(cell.name)]


def table_slice(table: Stored[PenaltiesTable], cell: Cell, observed: int, seed: int | None = None) -> float:
    """Relative difference of the test error between the first task of a stored cell and the same task run now.

    Args:
        table: the stored table.
        cell: its row.
        observed: its column.
        seed: another seed than the stored one, which must give another error.
    """
    config = table.config
    tasks = replace(config.tasks(observed), replicas=1)
    fresh = run_cell(tasks, cell, runtime.resolve(config.device), config.seed if seed is None else seed)["test"][0]
    return abs(fresh / row(table, cell)[list(table["observed"]).index(observed), 0] - 1)


@dataclass(frozen=True)
class PenaltiesSteps:
    """Step sizes over three decades, from two starts, for both optimizers.

    Attributes:
        seed: of targets, masks and starts.
        device: where it runs.
    """

    seed: int = 0
    device: str = "cpu"


def step_parts(config: PenaltiesSteps) -> dict[str, tuple[str, str]]:
    """One part per optimizer and start."""
    return {f"{optimizer}-{start}": (optimizer, start) for optimizer in ("Adam", "descent") for start in Steps().starts}


def run_steps(config: PenaltiesSteps, optimizer: str, start: str) -> Arrays:
    """Scores (steps, replicas) of one optimizer from one start."""
    return step_sweep(Steps(), optimizer, start, runtime.resolve(config.device), config.seed)


def assemble_steps(config: PenaltiesSteps, results: Mapping[tuple, Arrays]) -> Arrays:
    """Scores "test Adam-observed" and the like, each (steps, replicas), and the step sizes."""
    found = {
        f"{score} {optimizer}-{start}": part[score] for (optimizer, start), part in results.items() for score in SCORES
    }
    return found | {"Adam": np.array(Steps().adam), "descent": np.array(Steps().descent)}


def step_slice(sweep: Stored[PenaltiesSteps], optimizer: str, index: int) -> float:
    """Relative difference of the test error of one step size, observed start, first task, between stored and now."""
    config = sweep.config
    rates = {optimizer.lower(): (float(sweep[optimizer][index]),)}
    short = replace(Steps(), tasks=replace(Steps().tasks, replicas=1), **rates)
    fresh = step_sweep(short, optimizer, "observed", runtime.resolve(config.device), config.seed)["test"][0, 0]
    return abs(fresh / sweep[f"test {optimizer}-observed"][index, 0] - 1)


TABLE = StoredExperiment(
    "penalties-table", "explicit-penalties", PenaltiesTable(), table_parts, run_row, assemble_table
)
STEPS = StoredExperiment(
    "penalties-steps", "explicit-penalties", PenaltiesSteps(), step_parts, run_steps, assemble_steps
)
