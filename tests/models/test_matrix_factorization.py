"""The model cell of matrix factorization, held against the book's engine."""

import model_cells
import numpy as np
import torch

from offconvex.descent import descend
from offconvex.factorizations.matrix import measure
from offconvex.factorizations.matrix import model as matrix

CHAPTER = "matrix-factorization"
STEP, STEPS, EVERY = 0.005, 1380, 230
ONE_LAYER = (
    ("A, B, C = 0.04 * draw.normal(size=(3, n, n))", "A, B, C = 0.04 * draw.normal(size=(n, n)), np.eye(n), np.eye(n)"),
    ("A, B, C = A + (C @ B).T @ pull, B + C.T @ pull @ A.T, C + pull @ (B @ A).T", "A = A + pull"),
)


def start():
    """Data and layers of the cell before its first step."""
    names, _ = model_cells.vary(CHAPTER, ("range(1381)", "range(0)"))
    return names["truth"], names["seen"], [names[layer] for layer in "ABC"]


def engine_run():
    """The same steps by the engine: singular values, hidden errors, and the last layers."""
    truth, seen, layers = start()
    loss = matrix.squared_loss(*(torch.tensor(x * 1.0)[None] for x in (truth, seen)))
    growth = measure.singular_growth(loss, 4)
    hidden = torch.tensor(~seen)

    def record(parameters, gradients):
        miss = (matrix.end_to_end(parameters) - torch.tensor(truth))[:, hidden]
        return growth(parameters, gradients) | {"miss": miss.norm(dim=1) / torch.tensor(truth)[hidden].norm()}

    layers = tuple(torch.tensor(layer)[None] for layer in layers)
    # The cell takes one more step after its last line.
    options = {"step_size": STEP, "record": record, "record_every": EVERY}
    return descend(matrix.matrix_objective(loss), layers, steps=STEPS + 1, **options)


def test_the_engine_takes_the_same_steps():
    run = engine_run()
    names, _ = model_cells.run(CHAPTER)
    for own, layer in zip(run.parameters, "ABC"):
        np.testing.assert_allclose(own[0], names[layer], atol=1e-9)


def test_the_engine_returns_the_printed_numbers():
    run = engine_run()
    rows = [
        f"{t:4d} " + " ".join(f"{x:5.1f}" for x in values) + f" {miss:6.0%}"
        for t, values, miss in zip(run.iterations.tolist(), run["norms"][:, 0].tolist(), run["miss"][:, 0].tolist())
    ]
    assert rows[:-1] == model_cells.run(CHAPTER)[1].splitlines()[1:]


def test_what_is_printed_has_room():
    for seed in range(3):
        shaken = f"0.04 * draw.normal(size=(3, n, n)) + 1e-6 * np.random.default_rng({seed}).normal(size=(3, n, n))"
        changed = model_cells.vary(CHAPTER, ("0.04 * draw.normal(size=(3, n, n))", shaken))
        assert changed[1] == model_cells.run(CHAPTER)[1]


def last_line(*changes):
    """Singular values and hidden error that the varied cell prints last."""
    *values, miss = model_cells.vary(CHAPTER, *changes)[1].splitlines()[-1].split()[1:]
    return [float(value) for value in values], float(miss.rstrip("%"))


def test_a_single_layer_learns_no_hidden_entry():
    values, miss = last_line(*ONE_LAYER)
    assert values[3] > 1 and miss > 95


def test_from_a_large_start_the_rank_is_not_low():
    values, miss = last_line(("A, B, C = 0.04", "A, B, C = 0.4"))
    assert values[3] > 1 and miss > 50
