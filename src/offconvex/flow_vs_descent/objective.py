"""Cross-entropy of a network on a full batch: value, gradient and Hessian-vector products, all derived by hand.

Layers are (R, d_l, d_{l-1}) with R independent replicas; images are columns, so that the first layer of all replicas is
one matrix product with the images, and its gradient another. These two products are nearly all of the work.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from offconvex.descent import Parameters
from offconvex.flow_vs_descent.model import ImageColumns, Network

HessianVector = Callable[[Parameters], Parameters]
"""Direction, shaped like the parameters -> Hessian times direction, in buffers that the next call overwrites."""

_slope_backward = torch.ops.aten.leaky_relu_backward.grad_input


def network_loss(network: Network, images: ImageColumns, *, layerwise: bool = False) -> "CollapsedLoss | LayeredLoss":
    """Mean cross-entropy of a network over the images.

    A linear network sees the images only through its end-to-end matrix, which is cheaper; `layerwise` takes the
    ordinary path through the layers all the same, for comparisons of rounding or speed.

    Raises:
        ValueError: if the images do not have the size of the network's input, or a label no output.
    """
    if images.inputs.shape[0] != network.widths[0]:
        raise ValueError(f"The network expects inputs of size {network.widths[0]}; got {images.inputs.shape[0]}.")
    if int(images.labels.max()) >= network.widths[-1]:
        raise ValueError(f"Label {int(images.labels.max())} needs more than {network.widths[-1]} outputs.")
    return CollapsedLoss(images) if network.slope == 1 and not layerwise else LayeredLoss(network.slope, images)


class _CrossEntropy:
    """Softmax and its derivatives over the columns of logits (R, classes, N)."""

    def __init__(self, images: ImageColumns):
        self.inputs = images.inputs
        self.count = images.inputs.shape[1]
        self.rows = images.labels
        self.columns = torch.arange(self.count, device=images.labels.device)

    def __call__(
        self, logits: Float[Tensor, "R classes N"]
    ) -> tuple[Float[Tensor, " R"], Float[Tensor, "R classes N"]]:
        """Logits, which are overwritten -> loss, and its gradient at the logits, in place of them."""
        torch.log_softmax(logits, 1, out=logits)
        loss = logits[:, self.rows, self.columns].mean(1).neg_()
        residual = logits.exp_()
        residual[:, self.rows, self.columns] -= 1
        return loss, residual.div_(self.count)

    def curvature(self, residual: Float[Tensor, "R classes N"]) -> Callable[[torch.Tensor], torch.Tensor]:
        """Residual (p - y) / N at a point -> map of a change of the logits, overwritten, to that of the residual."""
        probability = residual * self.count
        probability[:, self.rows, self.columns] += 1
        scaled = probability / self.count

        def apply(change: Float[Tensor, "R classes N"]) -> Float[Tensor, "R classes N"]:
            mean = torch.einsum("rcn,rcn->rn", probability, change)
            return change.sub_(mean[:, None]).mul_(scaled)

        return apply


class LayeredLoss:
    """Loss and gradients layer by layer, for any activation max(z, slope z)."""

    def __init__(self, slope: float, images: ImageColumns):
        self.slope = slope
        self.entropy = _CrossEntropy(images)
        self.hidden: list[torch.Tensor] = []
        self.errors: list[torch.Tensor] = []
        self._gradients: list[torch.Tensor] = []

    def __call__(
        self, layers: tuple[Float[Tensor, "R _ _"], ...]
    ) -> tuple[Float[Tensor, " R"], tuple[Float[Tensor, "R _ _"], ...]]:
        """Loss and its gradients, in buffers that the next call overwrites."""
        self._allocate(layers)
        inputs = self.entropy.inputs
        torch.mm(layers[0].flatten(0, 1), inputs, out=self.hidden[0].flatten(0, 1))
        loss, error = self._above_first(layers)
        torch.mm(error.flatten(0, 1), inputs.T, out=self._gradients[0].flatten(0, 1))
        return loss, tuple(self._gradients)

    def from_first(
        self, first: Float[Tensor, "R d N"], others: tuple[Float[Tensor, "R _ _"], ...]
    ) -> tuple[Float[Tensor, " R"], Float[Tensor, "R d N"], tuple[Float[Tensor, "R _ _"], ...]]:
        """The same from the first pre-activations W_1 X: loss, error at them, gradients of the other layers."""
        layers = (first, *others)
        self._allocate(layers)
        self.hidden[0].copy_(first)
        return *self._above_first(layers), tuple(self._gradients[1:])

    def _above_first(self, layers: Parameters) -> tuple[torch.Tensor, torch.Tensor]:
        for layer, below, above in zip(layers[1:], self.hidden, self.hidden[1:]):
            torch.bmm(layer, torch.nn.functional.leaky_relu_(below, self.slope), out=above)
        loss, error = self.entropy(self.hidden[-1])
        for j in range(len(layers) - 1, 0, -1):
            torch.bmm(error, self.hidden[j - 1].mT, out=self._gradients[j])
            below = torch.bmm(layers[j].mT, error, out=self.errors[j - 1])
            error = _slope_backward(below, self.hidden[j - 1], self.slope, True, grad_input=below)
        return loss, error

    def _allocate(self, layers: Parameters) -> None:
        if self._gradients and self._gradients[0].shape == layers[0].shape:
            return
        self.hidden = [layer.new_empty(*layer.shape[:2], self.entropy.count) for layer in layers]
        self.errors = [torch.empty_like(h) for h in self.hidden[:-1]]
        self._gradients = [torch.empty_like(layer) for layer in layers]

    def linearize(
        self, layers: tuple[Float[Tensor, "R _ _"], ...]
    ) -> tuple[tuple[Float[Tensor, "R _ _"], ...], HessianVector]:
        """Gradients at a point, and its Hessian as a map of directions, on the linear piece of the activation there.

        The point is evaluated once. A product is the derivative of the gradient along the direction: a forward pass
        of changes, then a backward one (pearlmutter1994fast). At a kink it is a one-sided derivative.
        """
        layers = tuple(layer.clone() for layer in layers)
        gradients = tuple(gradient.clone() for gradient in self(layers)[1])
        inputs = self.entropy.inputs
        hidden = [h.clone() for h in self.hidden[:-1]]
        slopes = [torch.where(h > 0, torch.ones_like(h), torch.full_like(h, self.slope)) for h in hidden]
        errors = [error.clone() for error in (*self.errors, self.hidden[-1])]
        curvature = self.entropy.curvature(errors[-1])

        def apply(directions: tuple[Float[Tensor, "R _ _"], ...]) -> tuple[Float[Tensor, "R _ _"], ...]:
            replicas, rows = directions[0].shape[:2]
            moved = (directions[0].flatten(0, 1) @ inputs).view(replicas, rows, -1)
            changes = []
            for j in range(1, len(layers)):
                changes.append(moved.mul_(slopes[j - 1]))
                moved = torch.baddbmm(directions[j] @ hidden[j - 1], layers[j], changes[-1])
            error, products = curvature(moved), []
            for j in range(len(layers) - 1, 0, -1):
                products.append(torch.baddbmm(error @ hidden[j - 1].mT, errors[j], changes[j - 1].mT))
                error = torch.baddbmm(layers[j].mT @ error, directions[j].mT, errors[j]).mul_(slopes[j - 1])
            products.append((error.flatten(0, 1) @ inputs.T).view_as(directions[0]))
            return tuple(reversed(products))

        return gradients, apply


class CollapsedLoss:
    """Loss and gradients of a linear network through its end-to-end matrix M = W_L ... W_1.

    With G the gradient at M and S_l = W_L ... W_{l+1}, the gradient at W_l is S_l^T G (W_{l-1} ... W_1)^T. Both factors
    have as few rows as the network has outputs.
    """

    def __init__(self, images: ImageColumns):
        self.entropy = _CrossEntropy(images)

    def __call__(
        self, layers: tuple[Float[Tensor, "R _ _"], ...]
    ) -> tuple[Float[Tensor, " R"], tuple[Float[Tensor, "R _ _"], ...]]:
        """Loss and its gradients."""
        above = _above(layers)
        loss, residual = self.entropy(self._logits(above[0]))
        pulled = _pulled(layers, self._end_gradient(residual))
        return loss, _gradients(above, pulled)

    def end_gradient(self, layers: tuple[Float[Tensor, "R _ _"], ...]) -> Float[Tensor, "R outputs inputs"]:
        """Gradient at the end-to-end matrix."""
        return self._end_gradient(self.entropy(self._logits(_above(layers)[0]))[1])

    def linearize(
        self, layers: tuple[Float[Tensor, "R _ _"], ...]
    ) -> tuple[tuple[Float[Tensor, "R _ _"], ...], HessianVector]:
        """Gradients at a point, and its Hessian as a map of directions; the point is evaluated once."""
        layers = tuple(layer.clone() for layer in layers)
        above = _above(layers)
        residual = self.entropy(self._logits(above[0]))[1]
        pulled = _pulled(layers, self._end_gradient(residual))
        curvature = self.entropy.curvature(residual)

        def apply(directions: tuple[Float[Tensor, "R _ _"], ...]) -> tuple[Float[Tensor, "R _ _"], ...]:
            # Changes of S_l, from the last layer down; that of S_L = 1 is zero.
            changes: list[Any] = [None]
            for layer, direction, s in zip(reversed(layers), reversed(directions), reversed(above[1:])):
                own = direction if s is None else s @ direction
                changes.append(own if changes[-1] is None else torch.baddbmm(own, changes[-1], layer))
            changes.reverse()
            moved = self._end_gradient(curvature(self._logits(changes[0])))
            products = []
            for j, (layer, direction) in enumerate(zip(layers, directions)):
                s, change = above[j + 1], changes[j + 1]
                products.append(moved if s is None else torch.baddbmm(change.mT @ pulled[j], s.mT, moved))
                if s is not None:
                    moved = torch.baddbmm(moved @ layer.mT, pulled[j], direction.mT)
            return tuple(products)

        return _gradients(above, pulled), apply

    def _logits(self, end: torch.Tensor) -> torch.Tensor:
        return (end.flatten(0, 1) @ self.entropy.inputs).view(*end.shape[:2], -1)

    def _end_gradient(self, residual: torch.Tensor) -> torch.Tensor:
        return (residual.flatten(0, 1) @ self.entropy.inputs.T).view(*residual.shape[:2], -1)


def _above(layers: Parameters) -> list[Any]:
    """Products S_l = W_L ... W_{l+1} for l = 0, ..., L - 1, and None, which no type says here, for S_L = 1."""
    above: list[Any] = [None, layers[-1]]
    for layer in reversed(layers[:-1]):
        above.append(above[-1] @ layer)
    return above[::-1]


def _pulled(layers: Parameters, end_gradient: torch.Tensor) -> list[torch.Tensor]:
    """G (W_{l-1} ... W_1)^T for l = 1, ..., L."""
    pulled = [end_gradient]
    for layer in layers[:-1]:
        pulled.append(pulled[-1] @ layer.mT)
    return pulled


def _gradients(above: list[torch.Tensor | None], pulled: list[torch.Tensor]) -> Parameters:
    return tuple(s.mT @ a if s is not None else a for s, a in zip(above[1:], pulled))
