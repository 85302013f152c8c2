"""Model cell and small tree of the chapter on hierarchical tensors, held against the book's engine."""

import model_cells
import numpy as np
import torch

from offconvex.descent import descend
from offconvex.factorizations.hierarchical import measure
from offconvex.factorizations.hierarchical import model as hierarchical
from offconvex.factorizations.matrix.model import squared_loss
from offconvex.factorizations.tensor.measure import component_norms

CHAPTER = "hierarchical-tensor-factorization"
STEP, STEPS = 0.025, 2500
TREE = hierarchical.mode_tree(hierarchical.BINARY_4)
ACROSS = (0, 1), (0, 2)


def engine_weights(names):
    """The cell's arrays in the order of the tree's nodes: two leaves and their parent, twice, and the root."""
    matrices = [names[name][k] for k in (0, 1) for name in "ABS"] + [names["w"][:, None]]
    return tuple(torch.tensor(matrix)[None] for matrix in matrices)


def engine_run():
    """The cell's data and start, taken by the engine: local components at the root, spectra of two splits."""
    names, _ = model_cells.vary(CHAPTER, ("range(2501)", "range(0)"))
    truth, seen = (torch.tensor(names[name] * 1.0)[None] for name in ("truth", "seen"))

    def record(weights, _):
        tensor = hierarchical.end_tensor(TREE, weights)
        root = component_norms(hierarchical.local_vectors(TREE, weights, TREE.inner[-1]))
        spectra = [measure.split_values(tensor, axes) for axes in ACROSS]
        return {"rows": torch.stack([x.sort(descending=True).values[:, :3] for x in (root, *spectra)], dim=1)}

    objective = hierarchical.HierarchicalObjective(TREE, squared_loss(truth, seen))
    # The cell takes one more step after its last line.
    options = {"step_size": STEP, "record": record, "record_every": 250}
    return descend(objective, engine_weights(names), steps=STEPS + 1, **options)


def test_the_engine_takes_the_same_steps_and_returns_the_printed_numbers():
    run = engine_run()
    names, printed = model_cells.run(CHAPTER)
    for own, matrix in zip(run.parameters, engine_weights(names)):
        np.testing.assert_allclose(own, matrix, atol=1e-7)
    rows = dict(zip(run.iterations.tolist(), run["rows"][:, 0].tolist()))
    lines = printed.splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["0", *map(str, range(1250, STEPS + 1, 250))]
    for line in lines:
        numbers = [f"{x:.1f}" for part in rows[int(line.split()[0])] for x in part]
        assert line.split()[1:] == numbers


def test_what_is_printed_has_room():
    start = "0.14 * draw.normal(size=n)"
    for seed in range(3):
        shaken = f"{start} + 1e-6 * np.random.default_rng({seed}).normal(size=n)"
        assert model_cells.vary(CHAPTER, (start, shaken))[1] == model_cells.run(CHAPTER)[1]


def test_what_is_to_be_found_has_rank_two_across_the_split_of_the_tree_alone():
    truth = torch.tensor(model_cells.run(CHAPTER)[0]["truth"]).reshape(1, 4, 4, 4, 4)
    ranks = [int((measure.split_values(truth, axes) > 1e-9).sum()) for axes in ACROSS]
    assert ranks == [2, 16]


def test_from_a_large_start_no_rank_is_low():
    _, printed = model_cells.vary(CHAPTER, ("(0.14 *", "(0.45 *"), ("0.025 * seen", "0.005 * seen"))
    root, tree = np.array(printed.splitlines()[-1].split()[1:7], dtype=float).reshape(2, 3)
    assert root[2] > 1 and tree[2] > 0.5


def test_the_small_tree_of_the_text():
    leaf, node, root = np.eye(2), np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([[2.0], [1.0]])
    weights = tuple(torch.tensor(matrix)[None] for matrix in (leaf, leaf, node, leaf, leaf, node, root))
    tensor = hierarchical.end_tensor(TREE, weights)[0]
    for i, j, k, m in np.ndindex(2, 2, 2, 2):
        assert tensor[i, j, k, m] == (i == j and k == m) * (3 if i == k else 1)
    norms = component_norms(hierarchical.local_vectors(TREE, weights, TREE.inner[-1]))
    np.testing.assert_allclose(norms[0], [4, 2])
    ranks = [int((measure.split_values(tensor[None], axes) > 1e-9).sum()) for axes in ACROSS]
    assert ranks == [2, 4]
    np.testing.assert_array_equal(measure.matricization(tensor[None], (0, 2))[0], np.diag([3, 1, 1, 3]))
