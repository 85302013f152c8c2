"""The regularizer against locality: how little the gradient at one patch changes when another is swapped."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

Model = Callable[[torch.Tensor], torch.Tensor]
"""Inputs (..., N, C, H, W) to one output per sample, (..., N)."""


@dataclass(frozen=True)
class Patch:
    """Rectangle of pixels, through all channels.

    Attributes:
        top: first row.
        left: first column.
        height: rows.
        width: columns.
    """

    top: int
    left: int
    height: int
    width: int

    def __post_init__(self):
        if min(self.height, self.width) < 1 or min(self.top, self.left) < 0:
            raise ValueError(f"A patch needs at least one pixel and starts at 0 or later; got {self}.")

    def of(self, images: Float[Tensor, "*lead C H W"]) -> Float[Tensor, "*lead C {self.height} {self.width}"]:
        """View of the patch in images.

        Raises:
            ValueError: if the patch reaches over the edge, where a slice would silently be smaller.
        """
        if self.top + self.height > images.shape[-2] or self.left + self.width > images.shape[-1]:
            raise ValueError(
                f"{self} reaches over the edge of images of {images.shape[-2]} x {images.shape[-1]} pixels."
            )
        return images[..., self.top : self.top + self.height, self.left : self.left + self.width]

    def overlaps(self, other: "Patch") -> bool:
        """Whether the two share a pixel."""
        return (
            self.top < other.top + other.height
            and other.top < self.top + self.height
            and self.left < other.left + other.width
            and other.left < self.left + self.width
        )


def swapped(inputs: Float[Tensor, "*lead n c h w"], patch: Patch) -> Float[Tensor, "*lead n c h w"]:
    """Copy of inputs in which sample b has sample b+1's pixels at `patch`, the last the first's.

    Raises:
        ValueError: if there are fewer than two samples, since a sample cannot be swapped with itself.
    """
    if inputs.shape[-4] < 2:
        raise ValueError(f"Swapping a patch between samples needs at least two of them; got {inputs.shape[-4]}.")
    copy = inputs.detach().clone()
    patch.of(copy).copy_(patch.of(inputs.detach()).roll(-1, -4))
    return copy


def input_gradient(
    model: Model, inputs: Float[Tensor, "*lead n c h w"], *, differentiable: bool
) -> tuple[Float[Tensor, "*lead n"], Float[Tensor, "*lead n c h w"]]:
    """Outputs and the gradient of their sum with respect to the inputs.

    A model that treats samples apart gets each sample's own gradient this way; batch normalization in training mode
    does not, and there the sum's gradient is what the source's code takes.

    Args:
        model: the network.
        inputs: with the axes of replicas that the model has.
        differentiable: keep the graph, so that the gradient can itself be differentiated by the weights.
    """
    inputs = inputs.detach().requires_grad_()
    outputs = model(inputs)
    if not outputs.requires_grad:
        return outputs, torch.zeros_like(inputs)
    (gradient,) = torch.autograd.grad(outputs.sum(), inputs, create_graph=differentiable)
    return outputs, gradient


def direction_change(
    one: Float[Tensor, "*R c h w"], other: Float[Tensor, "*R c h w"], *, epsilon: float = 1e-12
) -> Float[Tensor, "*R"]:
    """1 - |cos| of two gradients over the last three axes, min(|u - v|^2, |u + v|^2) / 2 of their unit vectors.

    The difference of unit vectors keeps its digits where the cosine is nearly one: in single precision the least
    honest value is about 1e-13, that of one minus a rounded cosine 6e-8.

    The source's code has no epsilon and yields NaN for a patch on which the network has gone dead; here such a patch
    counts as fully changed, without a slope. `epsilon` stands inside the root of the length, (sum g^2 +
    epsilon^2)^(1/2), because the root itself has no derivative at zero.
    """
    over = (-3, -2, -1)
    squares = [g.square().sum(over) for g in (one, other)]
    u, v = (
        g / (square + epsilon**2).sqrt()[..., None, None, None] for g, square in zip((one, other), squares, strict=True)
    )
    change = torch.minimum((u - v).square().sum(over), (u + v).square().sum(over)) / 2
    return torch.where((squares[0] > 0) & (squares[1] > 0), change, torch.ones_like(change))


def gradient_change(
    model: Model, inputs: Float[Tensor, "*lead n c h w"], patch: Patch, other: Patch, *, differentiable: bool = False
) -> tuple[Float[Tensor, "*lead n"], Float[Tensor, "*lead n"]]:
    """Outputs, and 1 - |cos| of the input gradient at `patch` before and after `other` is swapped.

    |cos| is the source's surrogate (razin2022implicit, 6). A function a(x_p) b(rest) or a(x_p) + b(rest) has the
    change 0: the direction of its gradient at the patch does not depend on the rest.

    Args:
        model: the network; it may carry replicas on leading axes.
        inputs: with the same axes.
        patch: where the gradient is read.
        other: what is swapped between samples.
        differentiable: keep the graph for double backpropagation.

    Returns:
        Outputs at the inputs, and changes.

    Raises:
        ValueError: if the patches overlap, because then the pixels at which the gradient is read change themselves.
    """
    if patch.overlaps(other):
        raise ValueError(f"The two patches must not overlap; got {patch} and {other}.")
    outputs, before = input_gradient(model, inputs, differentiable=differentiable)
    _, after = input_gradient(model, swapped(inputs, other), differentiable=differentiable)
    return outputs, direction_change(patch.of(before), patch.of(after))


def gradient_similarity(
    model: Model, inputs: Float[Tensor, "*lead n c h w"], patch: Patch, other: Patch, *, differentiable: bool = False
) -> tuple[Float[Tensor, "*lead n"], Float[Tensor, "*lead n"]]:
    """Outputs, and the source's surrogate |cos|, one minus the change of `gradient_change`, with its arguments."""
    outputs, change = gradient_change(model, inputs, patch, other, differentiable=differentiable)
    return outputs, 1 - change


FLOOR = 1e-9
"""Added to the change under the logarithm: a swap that changes nothing would give ln 0, whose slope is no number."""


def cosine_penalty(change: Float[Tensor, "*lead n"]) -> Float[Tensor, "*lead"]:
    """Mean of |cos| = 1 - change: the source's regularizer (razin2022implicit, 6).

    With f = f_near + e f_joint the change is c e^2 + O(e^3), so that the slope in e is -2 c e: it vanishes with c.
    """
    return 1 - change.mean(-1)


def log_penalty(change: Float[Tensor, "*lead n"], *, floor: float = FLOOR) -> Float[Tensor, "*lead"]:
    """Mean of -ln(change + floor), whose slope does not depend on how small the change is (own derivation).

    With change = c e^2 the slope in e is -2 / e as long as c e^2 is well above the floor: there is no c in it.
    """
    return -(change + floor).log().mean(-1)


PENALTIES: dict[str, Callable[[Tensor], Tensor]] = {
    "cosine": cosine_penalty,
    "logarithm": log_penalty,
    "deep logarithm": partial(log_penalty, floor=1e-12),  # near the least change that single precision resolves
}
"""Penalty by name, changes (*lead, n) to one number for each replica (*lead,)."""


def random_pair(
    height: int, width: int, side: int, generator: torch.Generator, *, away: int = 0
) -> tuple[Patch, Patch]:
    """Two disjoint squares of `side` pixels: the first uniform over all places, the second over those left.

    Args:
        height: of the images.
        width: of the images.
        side: of the squares.
        generator: of the draws.
        away: least offset of one square from the other, in rows or in columns; disjoint ones are `side` apart anyway.

    Raises:
        ValueError: if no two such squares fit.
    """
    away = max(away, side)
    if max(height, width) < away + side or min(height, width) < side:
        raise ValueError(f"No two squares of {side} pixels, {away} pixels apart, fit into {height} x {width}.")

    def near(one: Patch, other: Patch) -> bool:
        return max(abs(one.top - other.top), abs(one.left - other.left)) < away

    def draw() -> Patch:
        top, left = (
            int(torch.randint(size - side + 1, (), generator=generator, device="cpu")) for size in (height, width)
        )
        return Patch(top, left, side, side)

    first = draw()
    # The first place may leave none for the second (a middle one in a short strip); then both are drawn again.
    while all(near(first, Patch(t, c, side, side)) for t in (0, height - side) for c in (0, width - side)):
        first = draw()
    second = draw()
    while near(first, second):
        second = draw()
    return first, second
