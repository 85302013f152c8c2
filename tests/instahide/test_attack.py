"""Similarity, assignment, decoders and the seed search, each against something independent of it."""

import numpy as np
import pytest
import torch

from offconvex import rng, runtime
from offconvex.instahide import assign, attack, decode, experiments, measure, prng, scheme, similarity
from offconvex.instahide.keys import BreakableReleasedKeys

RT = runtime.resolve("cpu")
SINGLE = runtime.resolve("cpu", torch.float32)


@pytest.fixture(scope="module")
def data():
    return attack.data_of(20, RT, 0)


@pytest.fixture(scope="module")
def released(data):
    return attack.publish(data, 6, 10, 0)


@pytest.fixture(scope="module")
def prior(data):
    return decode.prior_of(data.public)


def test_a_sweep_climbs_the_posterior_and_ends_where_its_gradient_vanishes(released, prior):
    published, truth = released
    problem = decode.Problem.of(published.images, attack.true_mixtures(truth, published), prior)
    images, values = problem.mean.expand(20, -1).clone(), []
    for _ in range(20):
        images = decode.sweep(problem, images, 1.0, 3.0)
        values.append(decode.log_posterior(problem, images, 1.0, 3.0).item())
    assert min(np.diff(values)) > -1e-9 * abs(values[-1])
    for _ in range(120):
        images = decode.sweep(problem, images, 1.0, 3.0)
    start = decode.log_posterior(problem, problem.mean.expand(20, -1), 1.0, 3.0)
    leaf = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(decode.log_posterior(problem, leaf, 1.0, 3.0), leaf)
    far = problem.mean.expand(20, -1).clone().requires_grad_()
    (first,) = torch.autograd.grad(decode.log_posterior(problem, far, 1.0, 3.0), far)
    assert values[-1] > start
    assert gradient.norm() < 0.02 * first.norm()


def test_the_gradient_of_the_published_decoder_is_autograd_s(released):
    published, truth = released
    mixing = attack.true_mixtures(truth, published).matrix()
    observed = published.images.abs().flatten(1)
    leaf = (RT.normal(rng.generator(0, "leaf"), 20, 784) / 3).requires_grad_()
    (expected,) = torch.autograd.grad(decode.descent_loss(observed, leaf, mixing, 0.05), leaf)
    found = decode.descent_gradient(observed, leaf.detach(), mixing, 0.05)
    assert torch.allclose(found, expected, atol=1e-14)


def test_decoders_do_not_use_signs(released, prior):
    published, truth = released
    mixtures = attack.true_mixtures(truth, published)
    flipped = published.images * RT.normal(rng.generator(1, "signs"), *published.images.shape).sign()
    settings = decode.Likelihood(sweeps=3)
    one, two = (decode.maximize(x, mixtures, prior, settings) for x in (published.images, flipped))
    assert torch.equal(one, two)
    one, two = (decode.descend(x, mixtures, decode.DecoderDescent(steps=3)) for x in (published.images, flipped))
    assert torch.equal(one, two)


def test_more_epochs_are_decoded_better(data, prior):
    gains = []
    for epochs in (1, 20):
        published, truth = attack.publish(data, 6, epochs, 1)
        images = decode.maximize(published.images, attack.true_mixtures(truth, published), prior, decode.Likelihood())
        gains.append(attack.quality(images, data.private)[0])
    assert gains[1] > gains[0] + 4


def test_labels_tell_classes_masses_and_how_many_images_each_class_has(data, released):
    published, truth = released
    slots = assign.read_labels(published)
    count = torch.bincount(data.labels, minlength=10).tolist()
    assert [len(members) for members in slots.members] == count
    assert sorted(i for members in slots.members for i in members) == list(range(20))
    true_classes = data.labels[truth.owners].sort(1)[0]
    assert torch.equal(slots.classes.sort(1)[0], true_classes)
    assert torch.allclose(slots.masses.sum(1), truth.coefficients[:, :2].sum(1))
    broken = scheme.Published(published.images[:-1], published.labels[:-1], published.scheme, 20)
    with pytest.raises(ValueError, match="whole epochs"):
        assign.read_labels(broken)


class Oracle:
    """A similarity that knows: codes are the true incidence."""

    def __init__(self, owners, size):
        self.member = torch.zeros((len(owners), size), dtype=RT.dtype, device="cpu").scatter_(1, owners, 1.0)

    def all_codes(self, images):
        return self.member / self.member.norm(dim=1, keepdim=True)


def test_a_perfect_similarity_is_assigned_nearly_perfectly(data, released):
    published, truth = released
    mixtures = assign.assign(published, Oracle(truth.owners, 20), rng.numpy_generator(0, "clusters"))
    # The adversary's numbers have no names: each takes the true image that it names most often.
    votes = torch.zeros((20, 20), dtype=torch.int64, device="cpu")
    for mine, true in zip(mixtures.owners.tolist(), truth.owners.tolist()):
        for a in mine:
            for b in true:
                votes[a, b] += 1
    called = votes.argmax(1)
    assert sorted(called.tolist()) == list(range(20))
    assert measure.owners_found(called[mixtures.owners], truth.owners) > 0.9


def test_a_trial_with_a_perfect_similarity(data, released, prior):
    published, truth = released
    areas, found, gain = attack.trial(published, truth, Oracle(truth.owners, 20), prior, 0)
    assert areas[1] > 0.999 and areas[2] > 0.999 and areas[0] < 0.8
    assert found > 0.9 and gain > 1
    met = attack.trials([data, data], (6,), 1, Shuffled(), prior, 0)
    assert met.areas.shape == (2, 1, 3) and met.found.shape == met.gain.shape == (2, 1)
    first = attack.trial(*attack.publish(data, 6, 1, 0), Shuffled(), prior, 0)
    assert met.areas[0, 0] == pytest.approx(first[0]) and met.gain[0, 0] == pytest.approx(first[2])
    assert met.gain[1, 0] != met.gain[0, 0]


class Shuffled:
    """A similarity that knows nothing."""

    def all_codes(self, images):
        return RT.normal(rng.generator(0, "codes"), len(images), 30)


def test_scores_of_pairs_do_not_see_what_all_codes_share(released):
    published, truth = released
    named = published.labels > 0

    class Moved(Oracle):
        def all_codes(self, images):
            return super().all_codes(images) + 0.3

    plain, moved = (attack.pair_scores(published, kind(truth.owners, 20)) for kind in (Oracle, Moved))
    assert torch.allclose(plain["learned"], moved["learned"], atol=1e-12)
    common = (named[:, None] & named[None]).any(2)
    scores = plain["learned, with labels"]
    assert scores[~common].max() < scores[common].min()


def test_a_short_training_beats_correlation():
    data = attack.data_of(20, SINGLE, 3)
    published, truth = attack.publish(data, 6, 10, 3)
    learned = attack.learned(data, (6,), similarity.SimilarityTraining(steps=40), SINGLE, 3)
    plain, images, labels = attack.similarity_scores(published, truth, learned)
    assert images > plain + 0.05
    assert labels > images
    signs = published.images.sign() * 1.0
    assert torch.allclose(learned.all_codes(published.images), learned.all_codes(published.images * signs), atol=1e-6)


def test_learning_refuses_a_scheme_with_four_private_images(data):
    with pytest.raises(ValueError, match="two private"):
        similarity.learn(data.kin, data.kin_labels, [scheme.inside(4)], similarity.SimilarityTraining(), SINGLE, 0)
    with pytest.raises(ValueError, match="positive"):
        similarity.SimilarityTraining(steps=0)


def test_area_under_the_curve_by_counting():
    draws = rng.numpy_generator(0, "auc")
    scores, positive = draws.standard_normal(60), draws.random(60) < 0.3
    wins = np.mean([a > b for a in scores[positive] for b in scores[~positive]])
    found = measure.auc(torch.as_tensor(scores, device="cpu"), torch.as_tensor(positive, device="cpu"))
    assert found == pytest.approx(wins)
    with pytest.raises(ValueError, match="one kind"):
        measure.auc(torch.as_tensor(scores, device="cpu"), torch.ones(60, dtype=torch.bool, device="cpu"))


def test_pictures_are_measured_rightly(data):
    x = data.private
    assert torch.allclose(measure.psnr(x + 0.2, x), torch.full((20,), 20.0, dtype=RT.dtype, device="cpu"))
    assert torch.allclose(measure.ssim(x, x), torch.ones(20, dtype=RT.dtype, device="cpu"))
    assert measure.ssim(-x, x).mean() < 0.2
    # By definition on a single window position, the image being 11 x 11.
    small, other = x[:1, 8:19, 8:19], x[1:2, 8:19, 8:19]

    place = np.arange(-5, 6)
    line = np.exp(-(place**2) / 4.5)
    window = np.outer(line, line) / line.sum() ** 2
    a, b = small[0].numpy() + 1, other[0].numpy() + 1
    ma, mb = (window * a).sum(), (window * b).sum()
    va, vb, cov = (window * (a - ma) ** 2).sum(), (window * (b - mb) ** 2).sum(), (window * (a - ma) * (b - mb)).sum()
    expected = (2 * ma * mb + 4e-4) * (2 * cov + 36e-4) / ((ma**2 + mb**2 + 4e-4) * (va + vb + 36e-4))
    assert measure.ssim(small, other).item() == pytest.approx(expected)


def test_owners_are_counted_in_either_order():
    truth = torch.tensor([[0, 1], [2, 3], [4, 4]], device="cpu")
    found = torch.tensor([[1, 0], [2, 9], [4, 5]], device="cpu")
    assert measure.owners_found(found, truth) == pytest.approx((2 + 1 + 1) / 6)


def test_the_seed_is_found_and_opens_everything(data):
    opened = experiments.seed_search(data, 4, 600, 5)
    assert opened.found == [opened.true]
    assert measure.psnr(opened.known, data.private).min() > 90
    assert experiments.seed_search(data, 2, 600, 5, system=True).found == []
    assert experiments.seed_search(data, 2, 600, 5, unlucky=True).found == []


def test_blind_solution_is_the_minimum_norm_one(data):
    keys = BreakableReleasedKeys(3)
    public = data.public[:60]
    order = rng.generator(0, "blind")
    published, _ = scheme.release(data.private, data.labels, scheme.cross(4), public, 3, order, keys=keys)
    opened = prng.undo(published, prng.regenerate(published, 3, 60))
    mean = data.public.flatten(1).mean(0)
    matrix = torch.zeros((60, 80), dtype=torch.float64, device="cpu")
    matrix[:, :20] = opened.mixing
    matrix.scatter_add_(1, opened.partners + 20, opened.shares)
    expected = mean + torch.linalg.pinv(matrix) @ (opened.images - matrix.sum(1, keepdim=True) * mean)
    assert torch.allclose(prng.solve_blind(opened, mean, 60), expected[:20], atol=1e-3)
    with pytest.raises(ValueError, match="the seed"):
        prng.undo(published, prng.regenerate(published, 4, 60))


def test_single_views_share_no_image(data, prior):
    single = attack.data_of(60, SINGLE, 2)
    gains = attack.single_views(single, 6, 2, decode.prior_of(single.public))
    assert set(gains) == set(attack.DECODERS)
    assert max(gains.values()) < 3


def test_exchanged_owners_are_decoded_to_nothing(data, prior):
    published, truth = attack.publish(data, 6, 20, 1)
    true = attack.true_mixtures(truth, published)
    other = attack.exchanged(true, rng.generator(0, "exchanged"))
    assert torch.equal(other.owners.flatten().bincount(), true.owners.flatten().bincount())
    assert torch.equal(other.coefficients, true.coefficients) and not torch.equal(other.owners, true.owners)
    mean = attack.quality(prior.mean.view(1, 28, 28).expand_as(data.private), data.private)[0]
    images = decode.maximize(published.images, other, prior, decode.Likelihood())
    assert attack.quality(images, data.private)[0] < mean + 1
