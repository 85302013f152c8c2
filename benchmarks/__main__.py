"""All benchmarks, one table, and the record behind the page on performance.

OMP_NUM_THREADS=1 python benchmarks            # all of them; the record is written when the last one is done
OMP_NUM_THREADS=1 python benchmarks matrix_engine growth_data    # some; nothing is written
"""

import importlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from offconvex.book.execution import provenance
from offconvex.book.publication import performance

COMPARISONS = (
    "matrix_engine",
    "tensor_engine",
    "hierarchical_engine",
    "norms_curve",
    "norms_completion",
    "penalties_gradient",
    "flow_engine",
    "taylor_step",
    "langevin_rate",
    "sampling_blackjax",
    "instahide",
    "adaptive_queries",
    "locality",
    "prediction_score",
)
GROWTH = ("growth_factorizations", "growth_networks", "growth_data")
ALL = (*COMPARISONS, *GROWTH)
SHARED = ("__main__", "timing")
"""Files here that are no benchmark."""


def run(names: Sequence[str]) -> list[performance.Row]:
    """Rows of the named benchmarks, in this order; progress goes to standard error."""
    rows: list[performance.Row] = []
    for name in names:
        begin = time.process_time()
        rows += importlib.import_module(name).rows()
        print(f"{name}: {time.process_time() - begin:.1f} s", file=sys.stderr, flush=True)
    return rows


def main(names: Sequence[str], root: Path | None = None) -> int:
    """Run benchmarks, print their table, and keep it if all were run; return the exit status."""
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"No benchmark is called {', '.join(unknown)}; there are: {', '.join(ALL)}.", file=sys.stderr)
        return 2
    begin = time.monotonic()
    machine = provenance.machine()  # of the code as it is now: a run takes minutes
    try:
        rows = run(names or ALL)
    except KeyboardInterrupt:
        print("\ninterrupted; the record is as it was.", file=sys.stderr)
        return 130
    print(performance.text(rows))
    if not names:
        spent = {"seconds": time.monotonic() - begin, "processor_seconds": time.process_time()}
        record = performance.collect(machine | {name: round(s, 1) for name, s in spent.items()}, rows)
        print(f"\nwritten: {performance.save(record, root).name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
