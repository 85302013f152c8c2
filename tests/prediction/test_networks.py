"""Classifiers, generators and baselines: shapes, written-out steps, invariants, bad input."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional

from offconvex import datasets, rng, runtime
from offconvex.prediction import baselines, classifiers, gan, mixture
from offconvex.prediction.classifiers import Member

RT = runtime.resolve("cpu", torch.float32)
DOUBLE = runtime.resolve("cpu", torch.float64)


@pytest.fixture(scope="module")
def images():
    found = datasets.fashion_mnist("train", rt=RT)
    return classifiers.standardize(found.pixels[:600]), found.labels[:600]


@pytest.mark.parametrize("family", classifiers.FAMILIES)
def test_classifiers_learn_and_stop_when_they_fit(images, family):
    found = classifiers.train(Member(family), *images, RT, 0, "test", longest=12, enough=0.8)
    accuracy = baselines.share(found.predict(images[0]) == images[1])
    assert accuracy >= 0.8 and found.epochs < 12
    assert found.features(images[0]).shape == (600, classifiers.shapes(found.member)[-2][1])
    assert torch.allclose(found.logits(images[0], chunk=77), found.logits(images[0]), atol=1e-4)


def test_training_repeats_itself_and_streams_differ(images):
    short = {"longest": 1}
    one, same = (classifiers.train(Member("mlp"), *images, RT, 0, "test", **short) for _ in range(2))
    other = classifiers.train(Member("mlp", twin=1), *images, RT, 0, "test", **short)
    assert all(torch.equal(a, b) for a, b in zip(one.weights, same.weights))
    assert not torch.equal(one.weights[0], other.weights[0])


def test_only_clean_images_decide_when_training_stops(images):
    pixels, labels = images
    wrong = labels.clone()
    wrong[300:] = (labels[300:] + 1) % 10
    found = classifiers.train(Member("mlp"), pixels, wrong, RT, 0, "test", clean=300, enough=0.9, longest=40)
    assert baselines.share(found.predict(pixels[:300]) == labels[:300]) >= 0.9 and found.epochs < 40


def test_recipes_do_what_they_say():
    draws = [rng.generator(0, "recipe") for _ in range(3)]
    plain = classifiers.start(Member("cnn"), draws[0], RT)
    large = classifiers.start(Member("cnn", recipe="large start"), draws[1], RT)
    assert torch.allclose(large[0], classifiers.GAIN * plain[0])
    x = RT.normal(draws[2], 5, 28, 28)
    member = Member("mlp", recipe="dropout")
    weights = classifiers.start(member, rng.generator(0, "recipe"), RT)
    assert torch.equal(classifiers.forward(member, weights, x), classifiers.forward(Member("mlp"), weights, x))
    many = [
        classifiers.forward(member, weights, x, drop=rng.generator(i, "drop")) for i in range(3000)
    ]  # the mean over dropped units is the whole
    mean = torch.stack(many).mean(0)
    error = torch.stack(many).std(0) / 3000**0.5
    assert ((mean - classifiers.forward(member, weights, x)).abs() < 5 * error).all()


def test_bad_members_are_refused():
    for bad, word in (({"family": "rnn"}, "family"), ({"family": "mlp", "recipe": "luck"}, "recipe")):
        with pytest.raises(ValueError, match=word):
            Member(**bad)
    with pytest.raises(ValueError, match="poison"):
        Member("mlp", poison=-1)


def test_spectral_norms_become_one():
    network = gan.start_discriminator(gan.Gan(), rng.generator(0, "norm"), DOUBLE)
    directions = {n: DOUBLE.normal(rng.generator(1, "norm"), w.shape[0]) for n, w in network.items() if w.dim() > 1}
    for _ in range(300):
        scaled = gan.normalized(network, directions, update=True)
    for name in directions:
        assert torch.linalg.matrix_norm(scaled[name].flatten(1), 2).item() == pytest.approx(1, abs=1e-3)
    assert scaled["score offset"] is network["score offset"]


def test_shifts_are_per_image_and_bring_in_background():
    images = RT.normal(rng.generator(0, "shift"), 40, 28, 28)
    assert gan.shifted(images, 0, rng.generator(1, "shift")) is images
    moved = gan.shifted(images, 2, rng.generator(1, "shift"))
    found = set()
    for before, after in zip(functional.pad(images, (2,) * 4, value=-1.0), moved):
        match = [(r, c) for r in range(5) for c in range(5) if torch.equal(after, before[r : r + 28, c : c + 28])]
        assert len(match) == 1
        found |= set(match)
    assert len(found) > 10


def test_networks_are_what_torch_builds():
    """Generator and discriminator against layers of torch with the same weights."""
    sizes = gan.Gan(width=3, latent=4, embedding=2, dense=5)
    draws = rng.generator(0, "layers")
    made, judge = gan.start_generator(sizes, draws, DOUBLE), gan.start_discriminator(sizes, draws, DOUBLE)
    latent, labels = gan.latents(sizes, draws, 6, DOUBLE), torch.arange(6, device="cpu")
    hidden = (torch.cat([latent, made["classes"][labels]], 1) @ made["dense"].T).view(6, 6, 7, 7)
    for name in ("inner", "outer"):
        mean, variance = hidden.mean((0, 2, 3), keepdim=True), hidden.var((0, 2, 3), keepdim=True, correction=0)
        hidden = ((hidden - mean) / (variance + 1e-5).sqrt()).relu()
        hidden = functional.conv_transpose2d(hidden, made[name], stride=2, padding=1)
    images = gan.generate(made, latent, labels)
    assert torch.allclose(images, hidden[:, 0].tanh(), atol=1e-12) and images.shape == (6, 28, 28)
    scores = gan.score(judge, images, labels)
    other = gan.score(judge, images, (labels + 1) % 10)
    flat = images[:, None]
    for name in ("outer", "inner"):
        flat = functional.conv2d(flat, judge[name], stride=2, padding=1)
        flat = torch.where(flat > 0, flat, 0.2 * flat)
    flat = flat.flatten(1) @ judge["dense"].T
    flat = torch.where(flat > 0, flat, 0.2 * flat)
    change = (flat * (judge["classes"][(labels + 1) % 10] - judge["classes"][labels])).sum(1)
    assert torch.allclose(other - scores, change, atol=1e-12)


def test_a_network_trains_and_is_sampled(images):
    pixels = datasets.fashion_mnist("train", rt=RT).pixels[:600]
    small, kept = gan.Gan(width=4, latent=8, embedding=4, dense=16, batch=16), {}
    losses = gan.train(small, pixels, images[1], (1, 100), RT, 0, "test", keep=lambda n, w: kept.update({n: w}))
    assert list(kept) == [1, 100] and (len(losses.generator), len(losses.discriminator)) == (1, 1)
    drawn, labels = gan.sample(small, kept[100], 40, RT, rng.generator(0, "draw"), chunk=20)
    assert drawn.dtype == torch.uint8 and labels.tolist() == list(range(10)) * 4
    assert not torch.equal(kept[1]["dense"], kept[100]["dense"])
    with pytest.raises(ValueError, match="increasing"):
        gan.train(small, pixels, images[1], (5, 5), RT, 0, "test", keep=print)


def test_the_mixture_finds_gaussians_and_likelihood_rises():
    draws = rng.generator(0, "mixture")
    points = DOUBLE.normal(draws, 900, 2) * 0.3
    points[:300] += 3
    weights, means, variances, record = mixture.expectation_maximization(
        mixture.Mixture(gaussians=2, rounds=60), points, rng.generator(1, "mixture"), DOUBLE
    )
    assert (np.diff(record) > -1e-9).all()
    order = means[:, 0].argsort()
    assert torch.allclose(means[order], DOUBLE.tensor([[0, 0], [3, 3]]), atol=0.1)
    assert torch.allclose(weights[order], DOUBLE.tensor([2 / 3, 1 / 3]), atol=0.02)
    assert torch.allclose(variances, DOUBLE.tensor(0.09), atol=0.02)
    normal = torch.distributions.Normal(means, variances.sqrt())
    expected = weights.log() + normal.log_prob(points[:, None]).sum(-1)
    assert torch.allclose(mixture.log_joint(points, weights, means, variances), expected)


def test_class_models_keep_mean_and_variance():
    found = datasets.fashion_mnist("train", rt=DOUBLE)
    images = found.pixels[found.labels == 0][:300]
    model = mixture.fit_class(mixture.Mixture(50, 1), images, rng.generator(0, "fit"), DOUBLE)
    drawn = model.draw(4000, rng.generator(1, "fit"), DOUBLE)
    flat = images.flatten(1)
    assert (drawn.mean(0) - flat.mean(0)).abs().max() < 5 * flat.std(0).max() / 4000**0.5
    assert drawn.var(0).sum() == pytest.approx(float(flat.var(0, correction=0).sum()), rel=0.05)
    with pytest.raises(ValueError, match="too few"):
        mixture.fit_class(mixture.Mixture(50, 1), images[:20], rng.generator(0, "fit"), DOUBLE)
    with pytest.raises(ValueError, match="positive"):
        mixture.Mixture(gaussians=0)
    with pytest.raises(ValueError, match="multiple"):
        mixture.sample(mixture.Mixture(), images, images[:, 0, 0].long(), 15, DOUBLE, 0, "test")


def test_margins_of_a_linear_map_are_distances(images):
    """For a network without hidden kinks the input margin is the distance to the decision boundary."""
    member = Member("mlp")
    weights = classifiers.start(member, rng.generator(0, "margin"), DOUBLE)
    weights[1] = weights[1] + 1000  # no unit is ever off: the map is affine
    x, y = images[0][:50].double(), images[1][:50]
    found = classifiers.Classifier(member, weights)
    matrix = weights[2] @ weights[0]
    logits = found.logits(x)
    output, distance = baselines.margins(found, x, y)
    for row in range(50):
        own = logits[row, y[row]]
        other = [c for c in range(10) if c != y[row]]
        best = max(other, key=lambda c: float(logits[row, c]))
        gap = own - logits[row, best]
        assert output[row] == pytest.approx(float(gap / logits.std()))
        assert distance[row] == pytest.approx(float(gap / (matrix[y[row]] - matrix[best]).norm()), rel=1e-6)


def test_baselines_of_a_trained_classifier(images):
    found = classifiers.train(Member("cnn"), *images, RT, 0, "test", longest=15)
    measured = baselines.measure(found, *images, RT, 0)
    assert tuple(measured) == baselines.BASELINES and all(np.isfinite(list(measured.values())))
    assert measured["norm"] == pytest.approx(-sum(float((w**2).sum()) for w in found.weights), rel=1e-5)
    assert measured == baselines.measure(found, *images, RT, 0)
    untrained = classifiers.Classifier(found.member, classifiers.start(found.member, rng.generator(1, "x"), RT))
    poor = baselines.measure(untrained, *images, RT, 0)
    for name in ("training accuracy", "training loss", "output margin", "input margin", "mixup", "shift accuracy"):
        assert measured[name] > poor[name]
    assert measured["sharpness"] < 0


def test_moved_images_and_midpoints(images):
    pixels, labels = images
    moved = baselines.moved_images(pixels)
    assert torch.equal(moved[:, 2:, 1:], pixels[:, :-2, :-1]) and torch.all(moved[:, :2] == pixels.min())
    mixed, classes = baselines.midpoints(pixels, labels, 0)
    assert len(mixed) == 10 * baselines.PAIRS_OF_A_CLASS
    means = torch.stack([mixed[classes == c].mean(0) for c in range(10)])
    real = torch.stack([pixels[labels == c].mean(0) for c in range(10)])
    assert (means - real).abs().mean() < 0.1


def test_networks_name_their_device(explicit_devices, images):
    pixels, labels = images
    for family in classifiers.FAMILIES:
        member = Member(family, recipe="dropout")
        found = classifiers.train(member, pixels[:100], labels[:100], RT, 0, "device", longest=1)
    baselines.measure(found, pixels, labels, RT, 0)
    small = gan.Gan(width=2, latent=4, embedding=2, dense=4, batch=8)
    gan.train(small, pixels[:100], labels[:100], (1,), RT, 0, "device",
        keep=lambda n, w: gan.sample(small, w, 10, RT, rng.generator(0, "device")))  # fmt: skip
    mixture.sample(mixture.Mixture(3, 2, 2), pixels, labels, 20, RT, 0, "device")


def test_members_are_hashable_records():
    assert dataclasses.replace(Member("mlp"), twin=1) != Member("mlp")
    assert len({Member(f, w).width for f in ("mlp", "cnn") for w in (False, True)}) == 4


def test_classifiers_are_what_torch_builds(images):
    """Each family against layers of torch with the same weights."""
    nn = torch.nn
    x = images[0][:20].double()
    builds = {
        "mlp": lambda s: nn.Sequential(nn.Flatten(), *_dense(s[:1]), nn.Linear(*s[-1][::-1])),
        "deep": lambda s: nn.Sequential(nn.Flatten(), *_dense(s[:-1]), nn.Linear(*s[-1][::-1])),
        "cnn": lambda s: nn.Sequential(
            nn.Unflatten(1, (1, 28)), nn.Conv2d(1, s[0][0], 3, 2, 1), nn.ReLU(), nn.Conv2d(s[0][0], s[1][0], 3, 2, 1),
            nn.ReLU(), nn.Flatten(), nn.Linear(*s[-1][::-1]),
        ),
        "residual": lambda s: _Residual(s),
    }  # fmt: skip
    for family, build in builds.items():
        member = Member(family)
        weights = classifiers.start(member, rng.generator(0, "layers"), DOUBLE)
        layers = build(classifiers.shapes(member)[::2]).double()
        with torch.no_grad():
            for parameter, w in zip(layers.parameters(), weights, strict=True):
                parameter.copy_(w.view(parameter.shape))
            assert torch.allclose(layers(x), classifiers.forward(member, weights, x), atol=1e-9)


def _dense(shapes):
    return [layer for out, inputs in shapes for layer in (torch.nn.Linear(inputs, out), torch.nn.ReLU())]


class _Residual(torch.nn.Module):
    def __init__(self, shapes):
        super().__init__()
        self.patch = torch.nn.Linear(16, shapes[0][0])
        self.inner, self.outer, self.last = (torch.nn.Linear(*s[::-1]) for s in shapes[1:])

    def forward(self, x):
        patches = x.view(-1, 7, 4, 7, 4).transpose(2, 3).reshape(-1, 49, 16)
        hidden = self.patch(patches).relu().transpose(1, 2).flatten(1)
        return self.last((hidden + self.outer(self.inner(hidden).relu())).relu())
