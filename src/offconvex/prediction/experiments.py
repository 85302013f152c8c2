"""The long experiment: a pool of classifiers, three generators of images, and every classifier scored on every set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped, UInt8
from torch import Tensor

from offconvex import datasets, rng, runtime
from offconvex.files import Arrays
from offconvex.prediction import baselines, gan, mixture
from offconvex.prediction.classifiers import FAMILIES, RECIPES, Classifier, Member, shapes, standardize, train
from offconvex.runtime import Runtime
from offconvex.stored import StoredExperiment

FEATURES = 32  # coordinates in which samples are compared: principal components of a classifier's last hidden layer
FEATURE_NET = Member("cnn", wide=True, twin=-1)  # not of the pool
FEATURE_IMAGES = (10_000, 20_000)  # training images of that classifier, seen by nothing else
KINDS = {"one Gaussian": mixture.Mixture(gaussians=1), "mixture": mixture.Mixture()}  # simpler generators
SHOWN = 40  # samples kept as pictures of each set but the first


@dataclass(frozen=True)
class Study:
    """Sizes of the experiment.

    Attributes:
        training: real images that generators and classifiers are trained on, the first of the set.
        poison: numbers of randomly labeled further images in a classifier's training set, one stratum each.
        families: of classifiers.
        recipes: of their training.
        longest: epochs after which a classifier stops though it does not fit its clean images; out of reach of all.
        gans: networks of their own random stream.
        lengths: steps after which the generator is sampled; the last is the one that predicts.
        samples: images of a synthetic set.
        kept: images of the first set that are stored.
        compared: images of each set whose features are stored.
        seed: of everything.
    """

    training: int = 4000
    poison: tuple[int, ...] = (0, 300, 700, 1200)
    families: tuple[str, ...] = FAMILIES
    recipes: tuple[str, ...] = RECIPES
    longest: int = 150
    gans: int = 3
    lengths: tuple[int, ...] = (750, 1500, 3000, 6000)
    samples: int = 10_000
    kept: int = 5000
    compared: int = 8000
    seed: int = 0

    def __post_init__(self):
        if self.training + max(self.poison) > FEATURE_IMAGES[0]:
            raise ValueError(
                f"`training` and the largest `poison` take {self.training + max(self.poison)} images, but images from "
                f"{FEATURE_IMAGES[0]} on belong to the feature network; take fewer."
            )
        if self.samples % 1000 or self.kept > self.samples or self.compared > min(self.samples, 8000):
            raise ValueError("`samples` must be a multiple of 1000, `kept` and `compared` at most that and 8000.")


def members(config: Study) -> list[Member]:
    """The pool, by poison and family: both widths and all recipes."""
    grid = product(config.poison, config.families, (False, True), config.recipes)
    return [Member(family, wide, recipe, poison) for poison, family, wide, recipe in grid]


def twins(config: Study) -> list[Member]:
    """Second starts of the plain narrow member of each family and poison; they are not in the pool."""
    return [Member(family, poison=poison, twin=1) for poison, family in product(config.poison, config.families)]


def parts(config: Study) -> dict[str, tuple]:
    """Kind of each part and which of them it is: generators first, since they take longest."""
    gans = {f"gan-{i}": ("gan", i) for i in range(config.gans)}
    grid = product(reversed(config.poison), config.families)
    pools = {f"pool-{family}-{poison}": ("pool", family, poison) for poison, family in grid}
    return gans | pools | {"simple": ("simple",), "features": ("features",)}


def run(config: Study, kind: str, *which: str | int) -> Arrays:
    """One part: a GAN's samples, a family's weights and measures at one poison, all simple samples, or a network."""
    run_one = {"gan": run_gan, "pool": run_pool, "simple": run_simple, "features": run_features}[kind]
    return run_one(config, *which, runtime.resolve("cpu", torch.float32))


def run_gan(config: Study, index: int, rt: Runtime) -> Arrays:
    """Train network `index`: "samples" (lengths, n, 28, 28), and its losses over each hundred steps."""
    images, labels = real_images(config, rt)
    samples = []

    def keep(steps: int, weights: gan.GanWeights) -> None:
        # The same latents at every length, so that lengths are compared on the same draws.
        draws = rng.generator(config.seed, "study", index, "samples")
        samples.append(gan.sample(gan.Gan(), weights, config.samples, rt, draws)[0].numpy())

    losses = gan.train(
        gan.Gan(), images[: config.training], labels[: config.training], config.lengths, rt, config.seed, "study",
        index, keep=keep,
    )  # fmt: skip
    return {
        "samples": np.stack(samples),
        "generator loss": np.array(losses.generator),
        "discriminator loss": np.array(losses.discriminator),
    }


def run_simple(config: Study, rt: Runtime) -> Arrays:
    """Samples (n, 28, 28) of each simpler generator."""
    images, labels = (values[: config.training] for values in real_images(config, rt))
    return {
        kind: mixture.sample(model, images, labels, config.samples, rt, config.seed, "study", kind)[0].numpy()
        for kind, model in KINDS.items()
    }


def run_pool(config: Study, family: str, poison: int, rt: Runtime) -> Arrays:
    """Train one family at one poison: flat weights, epochs and baselines of each member."""
    images, labels = real_images(config, rt)
    result = {}
    for member in members(config) + twins(config):
        if (member.family, member.poison) == (family, poison):
            classifier = trained(config, member, images, labels, rt)
            clean = standardize(images[: config.training])
            measured = baselines.measure(classifier, clean, labels[: config.training], rt, config.seed)
            result[f"{key(member)} weights"] = torch.cat([w.flatten() for w in classifier.weights]).numpy()
            result[f"{key(member)} measures"] = np.array([classifier.epochs, *measured.values()])
    return result


def run_features(config: Study, rt: Runtime) -> Arrays:
    """Train the network in whose features samples are compared, on images that nothing else is trained on."""
    full = datasets.fashion_mnist("train", full=True, rt=rt)
    first, last = FEATURE_IMAGES
    network = train(FEATURE_NET, standardize(full.pixels[first:last]), full.labels[first:last], rt, config.seed,
        "study", "features", longest=config.longest)  # fmt: skip
    flat = torch.cat([w.flatten() for w in network.weights]).numpy()
    return {f"{key(FEATURE_NET)} weights": flat, f"{key(FEATURE_NET)} measures": np.array([network.epochs])}


def key(member: Member) -> str:
    """Name of a member among arrays."""
    return "-".join(map(str, member.stream))


def trained(
    config: Study,
    member: Member,
    images: Float[Tensor, "n 28 28"],
    labels: Int[Tensor, " n"],
    rt: Runtime,
    seed: int | None = None,
) -> Classifier:
    """Train one member on the clean images and its poison.

    Args:
        config: sizes.
        member: what is trained.
        images: at least training + poison real images in [0, 1], the first of the set.
        labels: their true labels.
        rt: device and precision.
        seed: of its start and batches; by default the study's.
    """
    count = config.training + member.poison
    return train(
        member, standardize(images[:count]), poisoned(config, labels[:count]), rt,
        config.seed if seed is None else seed, "study", clean=config.training, longest=config.longest,
    )  # fmt: skip


def poisoned(config: Study, labels: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Labels with those beyond the clean images replaced by uniform draws, the same for every classifier."""
    draws = torch.randint(
        10, (max(config.poison),), generator=rng.generator(config.seed, "study", "poison"), device="cpu"
    )
    extra = draws[: len(labels) - config.training].to(labels.device)
    return torch.cat([labels[: config.training], extra])


def real_images(config: Study, rt: Runtime) -> tuple[Float[Tensor, "n 28 28"], Int[Tensor, " n"]]:
    """The training images inside the package, (10000, 28, 28) in [0, 1], and their labels."""
    found = datasets.fashion_mnist("train", rt=rt)
    return found.pixels, found.labels


def assemble(config: Study, results: Mapping[tuple, Arrays]) -> Arrays:
    """Score every classifier on every set, compare the sets in features, and train classifiers on samples alone."""
    rt = runtime.resolve("cpu", torch.float32)
    runs = [results["gan", i] for i in range(config.gans)]
    arrays = {name: array for (kind, *_), part in results.items() if kind != "gan" for name, array in part.items()}
    pool = [restored(member, arrays, rt) for member in members(config) + twins(config)]
    test = datasets.fashion_mnist("test", full=True, rt=rt)
    labels = np.arange(config.samples) % 10

    def predictions(pixels: np.ndarray) -> np.ndarray:
        images = standardize(rt.tensor(pixels) / 255)
        return np.stack([c.predict(images).numpy() for c in pool]).astype(np.uint8)

    on_test = np.stack([c.predict(standardize(test.pixels)).numpy() for c in pool]).astype(np.uint8)
    # Earlier lengths are judged on as many samples as are stored, the last on all.
    early = [[predictions(samples[: config.kept]) for samples in run["samples"][:-1]] for run in runs]
    on_gans = [predictions(run["samples"][-1]) for run in runs]
    on_simple = {kind: predictions(arrays[kind]) for kind in KINDS}
    chosen = [run["samples"][-1] for run in runs]
    scored = {
        "measures": np.array([arrays[f"{key(c.member)} measures"] for c in pool]),
        "test right": np.packbits(on_test == test.labels.numpy(), axis=1),
        "predictions": np.stack([packed(each) for each in on_gans]),
        "scores": np.array(
            [[(p == labels[: p.shape[1]]).mean(1) for p in [*first, last]] for first, last in zip(early, on_gans)]
        ),
        "simple scores": np.array([(p == labels).mean(1) for p in on_simple.values()]),
        "test accuracy": (on_test == test.labels.numpy()).mean(1),
        "samples": chosen[0][: config.kept],
        "shown": np.stack([set[:SHOWN] for set in [*chosen, *(arrays[kind] for kind in KINDS)]]),
        "generator loss": np.array([run["generator loss"] for run in runs]),
        "discriminator loss": np.array([run["discriminator loss"] for run in runs]),
    }
    features = compare(config, chosen, arrays["mixture"], restored(FEATURE_NET, arrays, rt), rt)
    return scored | features | alone(config, chosen, test, rt)


def restored(member: Member, arrays: Arrays, rt: Runtime) -> Classifier:
    """A classifier from its flat weights."""
    flat = rt.tensor(arrays[f"{key(member)} weights"])
    sizes = [torch.Size(shape).numel() for shape in shapes(member)]
    weights = [w.view(shape) for w, shape in zip(flat.split(sizes), shapes(member))]
    return Classifier(member, weights, int(arrays[f"{key(member)} measures"][0]))


def packed(predictions: Shaped[np.ndarray, "*any n"]) -> UInt8[np.ndarray, "*any n//2"]:
    """Classes 0..9 (..., n) as half bytes (..., n / 2)."""
    return (predictions[..., ::2] << 4 | predictions[..., 1::2]).astype(np.uint8)


def unpacked(halves: UInt8[np.ndarray, "*any n"]) -> UInt8[np.ndarray, "*any 2*n"]:
    """Inverse of `packed`."""
    return np.stack([halves >> 4, halves & 15], axis=-1).reshape(*halves.shape[:-1], -1)


def fresh_real(config: Study, rt: Runtime) -> tuple[Float[Tensor, "n 28 28"], Int[Tensor, " n"]]:
    """Real images that no generator saw, and their classes: what the package holds beyond the clean training images."""
    images, labels = real_images(config, rt)
    test = datasets.fashion_mnist("test", rt=rt)
    together = torch.cat([images[config.training :], test.pixels]), torch.cat([labels[config.training :], test.labels])
    return together[0][: config.compared], together[1][: config.compared]


def compare(
    config: Study,
    chosen: Sequence[UInt8[np.ndarray, "_ 28 28"]],
    simple: UInt8[np.ndarray, "n 28 28"],
    network: Classifier,
    rt: Runtime,
) -> Arrays:
    """Features of samples, of fresh real images, and of those moved by one pixel.

    Features are the principal components, over the fresh real images, of the network's last hidden layer.
    """
    real, labels = fresh_real(config, rt)
    hidden = network.features(standardize(real))
    center = hidden.mean(0)
    basis = torch.linalg.svd(hidden - center, full_matrices=False).Vh[:FEATURES].T

    def features(pixels: torch.Tensor) -> np.ndarray:
        return ((network.features(standardize(pixels)) - center) @ basis).numpy().astype(np.float16)

    moved = torch.nn.functional.pad(real, (1, 0))[..., : real.shape[-1]]
    sets = [*chosen, simple]
    return {
        "features real": features(real),
        "features moved": features(moved[:2000]),
        "features": np.stack([features(rt.tensor(s[: config.compared]) / 255) for s in sets]),
        "real labels": labels.numpy().astype(np.uint8),
    }


def alone(config: Study, chosen: Sequence[UInt8[np.ndarray, "_ 28 28"]], test: datasets.Images, rt: Runtime) -> Arrays:
    """Test accuracy of plain classifiers trained on as many images: real, other real, or samples, (sets, families)."""
    images, labels = real_images(config, rt)
    count = min(config.training, config.samples, len(images) - config.training)
    other = images[config.training :][:count], labels[config.training :][:count]
    sets = [(images[:count], labels[:count]), other]
    sets += [(rt.tensor(s[:count]) / 255, torch.arange(count, device=rt.device) % 10) for s in chosen]
    result = np.empty((len(sets), len(config.families)))
    for row, (pixels, truth) in enumerate(sets):
        for column, family in enumerate(config.families):
            found = train(Member(family), standardize(pixels), truth, rt, config.seed, "study", "alone",
                longest=config.longest)  # fmt: skip
            result[row, column] = baselines.share(found.predict(standardize(test.pixels)) == test.labels)
    return {"alone": result}


STUDY = StoredExperiment("pgdl-study", "predicting-generalization", Study(), parts, run, assemble)
AGAIN = StoredExperiment("pgdl-study-again", "predicting-generalization", Study(seed=1), parts, run, assemble)
"""The same with starts, batches, poison's labels, networks and samples of another seed."""
