"""Networks on a replica axis, the search, and what is read from the stored one."""

import dataclasses

import numpy as np
import pytest
import torch

from offconvex import datasets, rng, runtime, stored
from offconvex.holdout import networks, search, trials
from offconvex.holdout.razor import description

RT = runtime.resolve("cpu", torch.float32)
SHAPES = [
    networks.Trial("linear"),
    networks.Trial("mlp", norm=True, shift=True, cosine=True),
    networks.Trial("deep", width=32, activation="tanh"),
    networks.Trial("cnn", width=32, norm=True),
]


@pytest.fixture(scope="module")
def images():
    full = datasets.fashion_mnist("train", rt=RT)
    return networks.shrink(full.pixels[:1500]), full.labels[:1500]


@pytest.mark.parametrize("trial", SHAPES, ids=lambda t: t.family)
def test_networks_learn_and_replicas_do_not_meet(images, trial):
    pixels, labels = images
    trial = dataclasses.replace(trial, batch=50, epochs=3, rate=0.05)
    other = dataclasses.replace(trial, rate=0.01, momentum=0.9, decay=1e-3)
    pair = networks.train([trial, other], pixels, labels, RT, 0, "test")
    alone = networks.train([trial], pixels, labels, RT, 0, "test")
    for both, single in zip(pair.weights, alone.weights):
        assert torch.allclose(both[:1], single, atol=2e-4)
    errors = (pair.predict(pixels, chunk=400) != labels).float().mean(1)
    assert errors.max() < 0.4
    assert torch.equal(pair.predict(pixels), pair.predict(pixels, chunk=333))


def test_a_gradient_step_is_the_written_one(images):
    """One step of the linear network, by hand."""
    pixels, labels = images
    trial = networks.Trial("linear", rate=0.1, decay=1e-3, batch=50, epochs=3)
    start = networks._start(trial, RT, rng.generator(0, "test", "start", 0))
    rows = RT.permutation(rng.generator(0, "test", "order"), 50)
    x, y = pixels[rows].flatten(1), torch.eye(10, device="cpu")[labels[rows]]
    weight, offset = start
    for _ in range(1):
        wrong = (torch.softmax(x @ weight + offset, 1) - y) / 50
        weight, offset = weight - 0.1 * (x.T @ wrong + 1e-3 * weight), offset - 0.1 * (wrong.sum(0) + 1e-3 * offset)
    one = dataclasses.replace(trial)
    object.__setattr__(one, "epochs", 1)
    trained = networks.train([one], pixels[:50], labels[:50], RT, 0, "test")
    assert torch.allclose(trained.weights[0][0], weight, atol=1e-6)
    assert torch.allclose(trained.weights[1][0], offset, atol=1e-6)


def test_shifting_moves_by_one_pixel_and_brings_in_background():
    image = torch.arange(networks.SIDE**2, dtype=torch.float32, device="cpu").view(1, networks.SIDE, networks.SIDE)
    assert torch.equal(networks._moved(image, 0, 0), image)
    moved = networks._moved(image, 1, -1)
    assert torch.equal(moved[0, 1:, :-1], image[0, :-1, 1:])
    assert torch.all(moved[0, 0] == -networks.MEAN / networks.DEVIATION)


def test_bad_trials_are_refused(images):
    with pytest.raises(ValueError, match="family"):
        networks.Trial("transformer")
    with pytest.raises(ValueError, match="rate"):
        networks.Trial(rate=0.3)
    with pytest.raises(ValueError, match="agree"):
        networks.train([SHAPES[0], SHAPES[1]], *images, RT, 0, "test")
    with pytest.raises(ValueError, match="parents"):
        search.Search(groups=1, replicas=2, parents=4)


def test_a_trial_survives_its_places_and_proposals_keep_their_shape():
    draws = rng.numpy_generator(0, "proposals")
    for group in range(8):
        members = search.propose(draws, group, 4, [])
        assert len({m.shape for m in members}) == 1 and members[0].family == networks.FAMILIES[group % 4]
        assert [search.trial_at(np.array(search.places(m))) for m in members] == members
        children = search.propose(draws, group, 4, members)
        assert len({m.shape for m in children}) == 1 and children[0].family == members[0].family
        changed = [n for n in search.SHAPE_FIELDS if getattr(children[0], n) != getattr(members[0], n)]
        assert len(changed) <= 2


def fake(right: np.ndarray, config: search.Search) -> stored.Stored:
    settings = np.zeros((*right.shape[:2], 1 + len(networks.CHOICES)), dtype=np.int8)
    settings[..., 0] = np.arange(right.shape[1]) % 4
    return stored.Stored({"right": np.packbits(right, axis=-1), "settings": settings}, config, {})


def test_luck_among_independent_networks_shows_on_the_reused_half_only():
    """Networks that are right independently: gaps of winners have the exact expected size."""
    from offconvex.holdout import theory

    config = search.Search(searches=6, generations=1)
    right = rng.numpy_generator(0, "fake").random((6, config.trials, trials.TEST)) < 0.85
    found = fake(right, config)
    halves = trials.halves(found)
    expected = theory.luckiest_gap(np.array([config.trials]), trials.TEST // 2, 0.15)[0]
    assert abs(halves.gaps().mean() - expected) < 5 * halves.gap_error()
    assert halves.gap_error() == pytest.approx(np.sqrt(2 * 0.15 * 0.85 / 5000 / 6), rel=0.1)
    gaps = trials.resplit_gaps(found, (1, 6 * config.trials), 300, 0)
    assert abs(gaps[:, 0].mean()) < 5 * gaps[:, 0].std() / np.sqrt(300)
    many = theory.luckiest_gap(np.array([6 * config.trials]), trials.TEST // 2, 0.15)[0]
    assert gaps[:, 1].mean() == pytest.approx(many, rel=0.15)


def test_portraits_describe_distinct_networks():
    config = search.Search(searches=2, generations=1)
    right = rng.numpy_generator(1, "fake").random((2, config.trials, trials.TEST)) < 0.85
    found = trials.portraits(fake(right, config))
    assert [p.name for p in found] == ["winner 1", "winner 2", *networks.FAMILIES]
    assert len({p.description for p in found}) == len(found)
    assert all(p.bits == len(description.encode(p.description)) for p in found)
    assert trials.stream_of(config, 1, 13) == (0, 1, 0, 3, 1)


@pytest.mark.parametrize("trial", SHAPES, ids=lambda t: t.family)
def test_a_description_names_what_the_trial_does(trial):
    text = description.text_of(trials.describe(trial))
    assert ("batchnorm" in text) == trial.norm and ("cosine" in text) == trial.cosine
    assert ("shift" in text) == trial.shift and ("conv" in text) == (trial.family == "cnn")
    assert f"rate {trial.rate}" in text and f"batch {trial.batch}" in text


def test_descriptions_differ_whenever_trials_do():
    base = networks.Trial("mlp")
    texts = {trials.describe(base)}
    count = 1
    for name, options in networks.CHOICES.items():
        for value in options:
            if value != getattr(base, name):
                texts.add(trials.describe(dataclasses.replace(base, **{name: value})))
                count += 1
    assert len(texts) == count


def test_the_slice_sees_networks_that_were_changed():
    found = search.SEARCH.load()
    assert trials.retrained_difference(found, (0,), RT) <= 0.02
    altered = found["right"].copy()
    altered[0, :4, :60] ^= 255  # the four networks of the first group
    changed = stored.Stored(found.arrays | {"right": altered}, found.config, found.provenance)
    assert trials.retrained_difference(changed, (0,), RT) > 0.2


def test_networks_name_their_device(explicit_devices, images):
    pixels, labels = images
    for trial in SHAPES:
        short = dataclasses.replace(trial, epochs=3, batch=200)
        networks.train([short], pixels[:400], labels[:400], RT, 0, "device").predict(pixels[:10])
