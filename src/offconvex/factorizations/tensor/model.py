"""CP factorization W = sum_r w_r^1 x ... x w_r^N of tensors of any order, and the engine's objective.

Factors are (W^1, ..., W^N), each (B, d_n, R): column r of W^n is the vector w_r^n of component r, and B is the number
of independent replicas. A tensor is (B, d_1, ..., d_N).
"""

import math
from dataclasses import dataclass
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor

from offconvex.factorizations.matrix import model as matrix
from offconvex.factorizations.matrix.model import EndLoss
from offconvex.runtime import Runtime

Factors = tuple[Float[Tensor, "R _ components"], ...]


def khatri_rao(left: Float[Tensor, "R n r"], right: Float[Tensor, "R m r"]) -> Float[Tensor, "R n*m r"]:
    """Column-wise outer products of (B, d, R) and (B, d', R): (B, d d', R), the second index running fastest."""
    return (left.unsqueeze(2) * right.unsqueeze(1)).flatten(1, 2)


def split_order(order: int) -> int:
    """How many leading axes index the rows of the matrix that a tensor of this order is handled as: half of them."""
    return max(1, order // 2)


def end_tensor(factors: tuple[Float[Tensor, "_ _ _"], ...]) -> Float[Tensor, "R ..."]:
    """The tensor that the factors stand for, (B, d_1, ..., d_N): one product of two Khatri-Rao matrices.

    Raises:
        ValueError: unless there are at least two factors (B, d_n, R) with common B and R.
    """
    _check_factors(factors)
    cut = split_order(len(factors))
    product = reduce(khatri_rao, factors[:cut]) @ reduce(khatri_rao, factors[cut:]).mT
    return product.unflatten(2, [f.shape[1] for f in factors[cut:]]).unflatten(1, [f.shape[1] for f in factors[:cut]])


def gaussian_factors(
    rt: Runtime, generators: list[torch.Generator], *, shape: tuple[int, ...], components: int, std: float
) -> Factors:
    """Factors with independent N(0, std^2) entries, one generator per replica.

    Raises:
        ValueError: for fewer than two axes, no component, or a std that is not positive.
    """
    if len(shape) < 2 or min(shape) < 1 or components < 1:
        raise ValueError(
            f"Factors need at least two axes of positive size and a component; got {shape} and {components}."
        )
    if not std > 0:
        raise ValueError(f"`std` must be positive, since from zero factors nothing moves; got {std}.")
    draws = [std * rt.normal(generator, sum(shape), components) for generator in generators]
    return tuple(part.contiguous() for part in torch.stack(draws).split(shape, dim=1))


def balanced_factors(factors: Factors) -> Factors:
    """The same components with vectors of equal norms, which is the hypothesis of the growth law (razin2021implicit).

    Args:
        factors: (B, d_n, R) each, no vector zero.
    """
    norms = torch.stack([torch.linalg.vector_norm(f, dim=1, keepdim=True) for f in factors])
    common = norms.log().mean(0).exp()
    return tuple(f * (common / norm) for f, norm in zip(factors, norms))


def completion_loss(target: Float[Tensor, "R ..."], mask: Float[Tensor, "#R ..."]) -> EndLoss:
    """Mean squared error over the observed entries, as a loss of the tensor laid out as a matrix.

    Args:
        target: (B, d_1, ..., d_N).
        mask: ones at the observed entries, shaped like the target.
    """
    return matrix.completion_loss(as_matrix(target), as_matrix(mask))


def as_matrix(tensor: Float[Tensor, "R ..."]) -> Float[Tensor, "R rows columns"]:
    """A tensor (B, d_1, ..., d_N) with its first half of the axes as rows and the others as columns, (B, D, D').

    Raises:
        ValueError: for fewer than two axes besides the replicas'.
    """
    if tensor.ndim < 3:
        raise ValueError(f"A tensor here has a replica axis and at least two more; got shape {tuple(tensor.shape)}.")
    rows = math.prod(tensor.shape[1 : 1 + split_order(tensor.ndim - 1)])
    return tensor.reshape(tensor.shape[0], rows, -1)


class TensorObjective:
    """Loss of the end-to-end tensor as a function of the factors, with hand-derived gradients.

    The tensor is A B^T with A and B the Khatri-Rao products of the two halves of the factors, and with G the gradient
    of the loss, laid out alike, dloss/dA = G B and dloss/dB = G^T A: three matrix products of d^N R multiplications
    each. A product A = P * w of the factors before with the next one then gives dloss/dw = sum P * dA and
    dloss/dP = sum w * dA.
    No array of R times d^N entries is made. Buffers are allocated once and overwritten by the next call.
    """

    def __init__(self, end_loss: EndLoss):
        self._end_loss = end_loss
        self._tape: _Tape | None = None

    def __call__(self, factors: Factors) -> tuple[Float[Tensor, " R"], Factors]:
        """Loss and gradients."""
        # `descend` passes the same tensors at every step, so views and buffers are looked up once, not at every step.
        if self._tape is None or self._tape.factors is not factors:
            self._tape = _make_tape(factors)
        tape = self._tape
        tape.left.multiply()
        tape.right.multiply()
        left, right = tape.left.products[-1], tape.right.products[-1]
        torch.bmm(left, right.mT, out=tape.tensor)
        value = self._end_loss(tape.tensor, tape.gradient)
        torch.bmm(tape.gradient, right, out=tape.left.pulled[-1])
        torch.bmm(tape.gradient.mT, left, out=tape.right.pulled[-1])
        tape.left.pull_back()
        tape.right.pull_back()
        return value, tape.left.gradients + tape.right.gradients


@dataclass(frozen=True)
class KhatriRaoProduct:
    """Khatri-Rao product of neighboring factors w_1, ..., w_m, with the buffers of its two directions.

    Attributes:
        factors: each (B, d_n, R).
        products: of the first one, two, ... of them, (B, d_1 ... d_n, R).
        pulled: loss gradients of these products.
        gradients: loss gradients of the factors.
        joints: for each but the first factor, product and pulled gradient with the factor's index apart and a scratch
            of the same size, (B, d_1 ... d_{n-1}, d_n, R).
    """

    factors: Factors
    products: tuple[torch.Tensor, ...]
    pulled: tuple[torch.Tensor, ...]
    gradients: Factors
    joints: tuple[tuple[torch.Tensor, torch.Tensor, torch.Tensor], ...]

    @classmethod
    def of(cls, factors: Factors) -> "KhatriRaoProduct":
        """Product of these factors, with buffers yet to be filled."""
        gradients = tuple(torch.empty_like(f) for f in factors)
        products, pulled, joints = [factors[0]], [gradients[0]], []
        for factor in factors[1:]:
            replicas, before, components = products[-1].shape
            joint = [factor.new_empty(replicas, before, factor.shape[1], components) for _ in range(3)]
            products.append(joint[0].flatten(1, 2))
            pulled.append(joint[1].flatten(1, 2))
            joints.append((joint[0], joint[1], joint[2]))
        return cls(factors, tuple(products), tuple(pulled), gradients, tuple(joints))

    def multiply(self) -> None:
        """Fill the products."""
        for n, (product, _, _) in enumerate(self.joints, start=1):
            torch.mul(self.products[n - 1].unsqueeze(2), self.factors[n].unsqueeze(1), out=product)

    def pull_back(self) -> None:
        """From the gradient of the last product, in `pulled[-1]`, fill those of the factors."""
        for n in range(len(self.joints), 0, -1):
            _, pulled, scratch = self.joints[n - 1]
            torch.mul(pulled, self.products[n - 1].unsqueeze(2), out=scratch)
            torch.sum(scratch, 1, out=self.gradients[n])
            torch.mul(pulled, self.factors[n].unsqueeze(1), out=scratch)
            torch.sum(scratch, 2, out=self.pulled[n - 1])


@dataclass(frozen=True)
class _Tape:
    """Buffers of one evaluation, bound to the factors they belong to."""

    factors: Factors
    left: KhatriRaoProduct
    right: KhatriRaoProduct
    tensor: torch.Tensor
    gradient: torch.Tensor


def _make_tape(factors: Factors) -> _Tape:
    _check_factors(factors)
    cut = split_order(len(factors))
    left, right = KhatriRaoProduct.of(factors[:cut]), KhatriRaoProduct.of(factors[cut:])
    rows, columns = left.products[-1], right.products[-1]
    tensor = rows.new_empty(rows.shape[0], rows.shape[1], columns.shape[1])
    return _Tape(factors, left, right, tensor, torch.empty_like(tensor))


def _check_factors(factors: Factors) -> None:
    shapes = [tuple(f.shape) for f in factors]
    if len(factors) < 2 or any(f.ndim != 3 for f in factors) or len({(s[0], s[2]) for s in shapes}) != 1:
        raise ValueError(f"Expected two or more factors (B, d_n, R) with the same B and R; got shapes {shapes}.")
