"""Random targets and masks, and what the tasks of all factorizations have in common."""

import pytest
import torch

from offconvex import rng, runtime
from offconvex.factorizations.hierarchical.task import TreeCompletion
from offconvex.factorizations.matrix.task import MatrixCompletion
from offconvex.factorizations.tasks import low_rank_matrix, uniform_mask
from offconvex.factorizations.tensor.task import TensorCompletion

CPU = runtime.resolve("cpu")
TASKS = {
    "matrix": MatrixCompletion(size=7, rank=2, observed=30),
    "tensor": TensorCompletion((4, 5, 4), rank=2, observed=40, norm=3.0, components=6),
    "tree": TreeCompletion(length=3, rank=2, observed=60, norm=9.0, width=8),
}


def test_a_matrix_has_its_rank_and_norm():
    target = low_rank_matrix(CPU, rng.generator(0, "t"), size=20, rank=3)
    assert torch.linalg.matrix_rank(target) == 3
    assert target.norm().item() == pytest.approx(20, rel=1e-12)


def test_masks_have_their_count_and_are_nested():
    mask = uniform_mask(CPU, rng.generator(0, "m"), shape=(4, 5, 20), observed=123)
    assert mask.sum() == 123 and set(mask.unique().tolist()) == {0.0, 1.0}
    fuller = uniform_mask(CPU, rng.generator(0, "m"), shape=(4, 5, 20), observed=200)
    assert ((fuller - mask) >= 0).all()


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_replicas_have_streams_of_their_own_and_targets_their_norm(task):
    target, mask = task.draw(CPU, 3, "test", range(4))
    assert target.shape == mask.shape == (4, *task.shape)
    torch.testing.assert_close(target.flatten(1).norm(dim=1), torch.full_like(target.flatten(1)[:, 0], task.norm))
    assert mask.flatten(1).sum(1).tolist() == [task.observed] * 4
    again, others = task.draw(CPU, 3, "test", range(2, 4))
    assert torch.equal(again, target[2:]) and torch.equal(others, mask[2:])
    assert not torch.equal(target[0], target[1]) and not torch.equal(mask[0], mask[1])


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: low_rank_matrix(CPU, rng.generator(0, "x"), size=3, rank=0), "`rank`"),
        (lambda: uniform_mask(CPU, rng.generator(0, "x"), shape=(3, 3), observed=10), "`observed`"),
        (lambda: uniform_mask(CPU, rng.generator(0, "x"), shape=(3, 3), observed=0), "`observed`"),
    ],
)
def test_bad_input_is_one_clear_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()
