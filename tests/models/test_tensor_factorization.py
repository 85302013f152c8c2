"""The model cell of tensor factorization, held against the book's engine."""

import model_cells
import numpy as np
import torch

from offconvex.descent import descend
from offconvex.factorizations.matrix.model import squared_loss
from offconvex.factorizations.tensor import measure
from offconvex.factorizations.tensor import model as tensor

CHAPTER = "tensor-factorization"
STEP, STEPS, EVERY = 0.01, 2800, 400


def engine_run():
    """The cell's data and start, taken by the engine: norms of components, hidden errors, and the last factors."""
    names, _ = model_cells.vary(CHAPTER, ("range(2801)", "range(0)"))
    truth, seen = (torch.tensor(names[name])[None] for name in ("truth", "seen"))
    loss = squared_loss(tensor.as_matrix(truth), tensor.as_matrix(seen.double()))

    def record(factors, _):
        miss = (tensor.end_tensor(factors) - truth)[~seen].norm() / truth[~seen].norm()
        return {"norms": measure.component_norms(factors).sort(descending=True).values[:, :4], "miss": miss[None]}

    factors = tuple(torch.tensor(names[factor])[None] for factor in "ABC")
    # The cell takes one more step after its last line.
    options = {"step_size": STEP, "record": record, "record_every": EVERY}
    return descend(tensor.TensorObjective(loss), factors, steps=STEPS + 1, **options)


def test_the_engine_takes_the_same_steps_and_returns_the_printed_numbers():
    run = engine_run()
    names, printed = model_cells.run(CHAPTER)
    for own, factor in zip(run.parameters, "ABC"):
        np.testing.assert_allclose(own[0], names[factor], atol=1e-8)
    rows = [
        f"{t:4d} " + " ".join(f"{x:5.1f}" for x in norms) + f" {miss:6.0%}"
        for t, norms, miss in zip(run.iterations.tolist(), run["norms"][:, 0].tolist(), run["miss"][:, 0].tolist())
    ]
    assert rows[:-1] == printed.splitlines()[1:]


def test_what_is_printed_has_room():
    start = "0.02 * draw.normal(size=(3, d, d * d))"
    for seed in range(3):
        shaken = f"{start} + 1e-6 * np.random.default_rng({seed}).normal(size=(3, d, d * d))"
        assert model_cells.vary(CHAPTER, (start, shaken))[1] == model_cells.run(CHAPTER)[1]


def test_from_a_large_start_many_components_stay_and_hidden_entries_are_missed():
    names, printed = model_cells.vary(CHAPTER, ("= 0.02 *", "= 0.3 *"))
    *norms, miss = printed.splitlines()[-1].split()[1:]
    assert float(norms[3]) > 1 and float(miss.rstrip("%")) > 50
    assert np.sqrt((names["pull"] ** 2).sum()) < 1e-4  # what is seen is fitted all the same
