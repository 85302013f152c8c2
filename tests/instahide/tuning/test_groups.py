"""Clusters in time linear in the encryptions, against all pairs and against what they must find."""

import pytest
import torch

from offconvex import rng, runtime
from offconvex.instahide import attack, decode, measure
from offconvex.instahide.tuning import groups

RT = runtime.resolve("cpu")


@pytest.fixture(scope="module")
def released():
    return attack.publish(attack.data_of(40, RT, 0), 6, 8, 0)


def knowing(truth, size):
    """Codes that know the owners: their incidence."""
    return torch.zeros((len(truth.owners), size), dtype=RT.dtype, device="cpu").scatter_(1, truth.owners, 1.0)


def found(mixtures, truth, size):
    """Share of owners found when each group takes the true image that it names most often."""
    votes = torch.zeros((size, size), dtype=torch.int64, device="cpu")
    for slot in (0, 1):
        for other in (0, 1):
            votes.index_put_(
                (mixtures.owners[:, slot], truth.owners[:, other]), torch.ones(1, dtype=torch.int64, device="cpu"), True
            )
    return measure.owners_found(votes.argmax(1)[mixtures.owners], truth.owners)


def test_codes_that_know_are_grouped_nearly_rightly_and_those_that_do_not_by_chance(released):
    published, truth = released
    mixtures = groups.group(published, knowing(truth, 40), rng.numpy_generator(0, "groups"))
    assert found(mixtures, truth, 40) > 0.85
    noise = RT.normal(rng.generator(0, "codes"), len(truth.owners), 40)
    blind = groups.group(published, noise, rng.numpy_generator(0, "groups"))
    assert found(blind, truth, 40) < 0.5
    # Classes and masses come from the labels, whatever the codes are.
    assert torch.equal(mixtures.coefficients, blind.coefficients)
    assert mixtures.size == 40 and mixtures.public == 4


def test_mean_similarities_by_the_loop():
    codes = RT.normal(rng.generator(1, "codes"), 9, 4)
    weight = RT.uniform(rng.generator(1, "weights"), 9) + 0.1
    member = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 0], device="cpu")
    scores = groups.mean_similarity(codes, weight, member, 4)
    for row in range(9):
        for cluster in range(3):
            others = [i for i in range(9) if member[i] == cluster and i != row]
            total = sum(weight[i] * (codes[i] @ codes[row]) for i in others)
            assert scores[row, cluster] == pytest.approx((total / weight[others].sum()).item())
    assert (scores[:, 3] == 0).all()


def test_clusters_become_equally_large():
    scores = RT.normal(rng.generator(2, "scores"), 600, 12) + torch.linspace(0, 2, 12, dtype=RT.dtype, device="cpu")
    size = torch.bincount(groups.equal(scores), minlength=12)
    before = torch.bincount(scores.argmax(1), minlength=12)
    assert before.max() > 3 * 50
    assert size.min() > 0.7 * 50 and size.max() < 1.3 * 50


def test_clusters_far_apart_are_found():
    centers = 10 * RT.eye(8)
    truth = torch.arange(8, device="cpu").repeat(25)
    points = centers[truth] + 0.1 * RT.normal(rng.generator(3, "points"), 200, 8)
    member = groups.spread(points, 8, rng.numpy_generator(3, "starts"))
    pairs = {(int(a), int(b)) for a, b in zip(truth, member)}
    assert len(pairs) == 8


def test_principal_directions_keep_the_inner_products_of_few_dimensions():
    codes = RT.normal(rng.generator(4, "codes"), 300, 20)
    moved = torch.nn.functional.normalize(codes - codes.mean(0))
    kept = groups.principal(codes)
    assert torch.allclose(kept @ kept.T, moved @ moved.T)


def test_two_entries_a_row_give_the_products_of_the_matrix(released):
    published, truth = released
    prior = decode.prior_of(attack.data_of(40, RT, 0).kin)
    mixtures = attack.true_mixtures(truth, published)
    dense, sparse = (decode.Problem.of(published.images, mixtures, prior, sparse=kind) for kind in (False, True))
    values = RT.normal(rng.generator(0, "values"), 40, 784)
    assert torch.allclose(sparse.mixing @ values, dense.mixing @ values)
    assert torch.allclose(sparse.weighted @ (dense.mixing @ values), dense.weighted @ (dense.mixing @ values))
    assert torch.allclose(sparse.share, dense.share)
    one, two = dense.mean.expand(40, -1), dense.mean.expand(40, -1)
    for _ in range(4):
        one, two = decode.sweep(dense, one, 2.0, 3.0), decode.sweep(sparse, two, 2.0, 3.0)
    assert (one - two).abs().max() < 1e-9
