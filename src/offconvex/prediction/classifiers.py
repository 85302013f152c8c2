"""Small classifiers of 28 x 28 images in four families. Float32: networks, not theorems."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from offconvex import rng
from offconvex.runtime import Runtime

FAMILIES = ("mlp", "deep", "cnn", "residual")
RECIPES = ("plain", "dropout", "large start")
WIDTHS = {"mlp": (128, 256), "deep": (128, 256), "cnn": (12, 24), "residual": (128, 256)}
PATCH, CHANNELS = 4, 16  # of the residual family: side of the patches, and what each becomes
SIDE = 28
PIXEL_MEAN, PIXEL_DEVIATION = 0.286, 0.353  # of the first 10,000 training images; fixed, so that no test image enters
DROPPED = 0.1  # share of the last hidden units that the recipe "dropout" sets to zero
GAIN = 2.0  # factor on the start of every weight in the recipe "large start"


@dataclass(frozen=True)
class Member:
    """What one classifier is and was trained on.

    Attributes:
        family: "mlp", one hidden layer; "deep", three; "cnn", two 3 x 3 convolutions of stride 2; "residual", one map
            for all patches of 4 x 4 pixels, then a block of two layers with a skip connection; each with a linear
            layer last.
        wide: the wider of the family's two widths.
        recipe: "plain"; "dropout", of the last hidden units; "large start", twice the usual deviation.
        poison: randomly labeled images among its training images.
        twin: 0, or the number of another start of the same settings.
    """

    family: str
    wide: bool = False
    recipe: str = "plain"
    poison: int = 0
    twin: int = 0

    def __post_init__(self):
        for name, allowed in (("family", FAMILIES), ("recipe", RECIPES)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"`{name}` must be one of {', '.join(allowed)}; got {getattr(self, name)!r}.")
        if self.poison < 0:
            raise ValueError(f"`poison` must be a number of images, zero or more; got {self.poison}.")

    @property
    def width(self) -> int:
        """Hidden units, in the block for "residual", or channels of the first convolution."""
        return WIDTHS[self.family][self.wide]

    @property
    def stream(self) -> tuple:
        """Name of its random stream."""
        return (self.family, self.width, self.recipe, self.poison, self.twin)


def shapes(member: Member) -> list[tuple[int, ...]]:
    """Shapes of the weights: (out, in) or (out, in, side, side), each followed by its offset (out,)."""
    w, patches = member.width, CHANNELS * (SIDE // PATCH) ** 2
    kernels = {
        "mlp": [(w, SIDE**2), (10, w)],
        "deep": [(w, SIDE**2), (w, w), (w, w), (10, w)],
        "cnn": [(w, 1, 3, 3), (2 * w, w, 3, 3), (10, 2 * w * 49)],
        "residual": [(CHANNELS, 1, PATCH, PATCH), (w, patches), (patches, w), (10, patches)],
    }[member.family]
    return [shape for kernel in kernels for shape in (kernel, kernel[:1])]


def start(member: Member, generator: torch.Generator, rt: Runtime) -> list[Float[Tensor, "..."]]:
    """Gaussian weights of deviation (2 / fan-in)^(1/2), in the last layer (1 / fan-in)^(1/2); offsets zero."""
    result, all_shapes = [], shapes(member)
    for place, shape in enumerate(all_shapes):
        if len(shape) == 1:
            result.append(rt.zeros(*shape))
            continue
        fan_in = torch.Size(shape[1:]).numel()
        gain = 1.0 if place == len(all_shapes) - 2 else 2.0
        scale = (gain / fan_in) ** 0.5 * (GAIN if member.recipe == "large start" else 1.0)
        result.append(rt.normal(generator, *shape) * scale)
    return result


def standardize(pixels: Float[Tensor, "n 28 28"]) -> Float[Tensor, "n 28 28"]:
    """Images (n, 28, 28) in [0, 1], shifted and scaled to mean 0 and deviation 1."""
    return (pixels - PIXEL_MEAN) / PIXEL_DEVIATION


def forward(
    member: Member,
    weights: Sequence[Float[Tensor, "..."]],
    images: Float[Tensor, "n 28 28"],
    *,
    drop: torch.Generator | None = None,
) -> Float[Tensor, "n 10"]:
    """Logits (n, 10) of standardized images (n, 28, 28); with `drop`, as in training by the recipe "dropout"."""
    return hidden_and_logits(member, weights, images, drop=drop)[1]


def hidden_and_logits(
    member: Member,
    weights: Sequence[Float[Tensor, "..."]],
    images: Float[Tensor, "n 28 28"],
    *,
    drop: torch.Generator | None = None,
) -> tuple[Float[Tensor, "n units"], Float[Tensor, "n 10"]]:
    """What the last layer sees (n, units), and the logits (n, 10)."""

    def linear(hidden: torch.Tensor, layer: int) -> torch.Tensor:
        return functional.linear(hidden, weights[2 * layer], weights[2 * layer + 1])

    def convolved(hidden: torch.Tensor, layer: int, stride: int, padding: int) -> torch.Tensor:
        return functional.conv2d(hidden, weights[2 * layer], weights[2 * layer + 1], stride=stride, padding=padding)

    if member.family in ("mlp", "deep"):
        hidden = images.flatten(1)
        for layer in range(len(weights) // 2 - 1):
            hidden = linear(hidden, layer).relu()
    elif member.family == "cnn":
        hidden = convolved(convolved(images[:, None], 0, 2, 1).relu(), 1, 2, 1).relu().flatten(1)
    else:
        hidden = convolved(images[:, None], 0, PATCH, 0).relu().flatten(1)
        hidden = (hidden + linear(linear(hidden, 1).relu(), 2)).relu()
    if drop is not None and member.recipe == "dropout":
        keep = torch.rand(hidden.shape, generator=drop, device="cpu").to(hidden.device) >= DROPPED
        hidden = hidden * keep / (1 - DROPPED)
    return hidden, linear(hidden, len(weights) // 2 - 1)


@dataclass(frozen=True)
class Classifier:
    """A trained classifier.

    Attributes:
        member: what it is.
        weights: per layer, weight and offset.
        epochs: passes that training took.
    """

    member: Member
    weights: list[torch.Tensor]
    epochs: int = 0

    def logits(self, images: Float[Tensor, "n 28 28"], chunk: int = 1000) -> Float[Tensor, "n 10"]:
        """Logits (n, 10) of standardized images (n, 28, 28)."""
        with torch.no_grad():
            return torch.cat([forward(self.member, self.weights, part) for part in images.split(chunk)])

    def predict(self, images: Float[Tensor, "n 28 28"]) -> Int[Tensor, " n"]:
        """Classes (n,) of standardized images (n, 28, 28)."""
        return self.logits(images).argmax(1)

    def features(self, images: Float[Tensor, "n 28 28"], chunk: int = 1000) -> Float[Tensor, "n units"]:
        """What the last layer sees (n, units)."""
        with torch.no_grad():
            return torch.cat([hidden_and_logits(self.member, self.weights, part)[0] for part in images.split(chunk)])


def train(
    member: Member,
    images: Float[Tensor, "n 28 28"],
    labels: Int[Tensor, " n"],
    rt: Runtime,
    seed: int,
    *stream: str | int,
    clean: int | None = None,
    enough: float = 0.98,
    longest: int = 150,
    rate: float = 2e-3,
    batch: int = 128,
) -> Classifier:
    """A classifier after Adam on the cross-entropy, stopped at the first epoch that fits enough of the clean images.

    Args:
        member: what is trained.
        images: (n, 28, 28) standardized training images, the clean ones first.
        labels: (n,) their labels.
        rt: device and precision.
        seed: of start, batches and dropped units.
        stream: name of the use; the member's own name is added.
        clean: how many of the images are clean; by default all.
        enough: accuracy on the clean images at which training stops.
        longest: epochs after which it stops anyway.
        rate: Adam's step size.
        batch: images a step.
    """
    name = (*stream, *member.stream)
    weights = [w.requires_grad_() for w in start(member, rng.generator(seed, *name, "start"), rt)]
    order, drop = rng.generator(seed, *name, "order"), rng.generator(seed, *name, "dropout")
    optimizer = torch.optim.Adam(weights, lr=rate)
    clean = len(images) if clean is None else clean
    for epoch in range(1, longest + 1):
        for rows in rt.permutation(order, len(images)).split(batch):
            loss = functional.cross_entropy(forward(member, weights, images[rows], drop=drop), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        found = Classifier(member, [w.detach() for w in weights], epoch)
        if (found.predict(images[:clean]) == labels[:clean]).double().mean() >= enough:
            break
    return found
