"""The deep convolutional network with product pooling that a hierarchical factorization is (cohen2016expressive)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from offconvex import rng
from offconvex.factorizations.hierarchical import model as hierarchical
from offconvex.runtime import Runtime


class ArithmeticCircuit(torch.nn.Module):
    """Deep convolutional arithmetic circuit on N patches of d features each.

    Every node of the tree is a linear layer across channels, a 1 x 1 convolution without weight sharing; where a node
    has children, their channels are multiplied first, which is product pooling over its window. The weights are those
    of the factorization, transposed.
    """

    def __init__(self, tree: hierarchical.ModeTree, weights: tuple[Float[Tensor, "1 _ _"], ...]):
        super().__init__()
        self.tree = tree
        self.layers = torch.nn.ModuleList()
        for weight in weights:
            layer = torch.nn.Linear(*weight.shape[1:], bias=False, dtype=weight.dtype, device=weight.device)
            layer.weight = torch.nn.Parameter(weight[0].mT.clone())
            self.layers.append(layer)

    def forward(self, patches: Float[Tensor, "S N d"]) -> Float[Tensor, " S"]:
        """Outputs of samples of N patches."""
        channels: list[torch.Tensor] = []
        for node, layer in zip(self.tree.nodes, self.layers):
            pooled = patches[:, node.axes[0]]
            if node.children:
                pooled = torch.stack([channels[c] for c in node.children]).prod(0)
            channels.append(layer(pooled))
        return channels[-1][:, 0]


@dataclass(frozen=True)
class Equivalence:
    """Circuits compared with tensors.

    Attributes:
        trees: mode trees, as nested tuples.
        length: of every axis, the number of features of a patch.
        width: number of channels of every hidden layer.
        inputs: random inputs, besides all those whose patches are unit vectors.
    """

    trees: tuple[hierarchical.Nested, ...] = (
        hierarchical.BINARY_4,
        hierarchical.THREE_CHILDREN,
        hierarchical.BINARY_8,
    )
    length: int = 3
    width: int = 6
    inputs: int = 200


@dataclass(frozen=True)
class EquivalenceRecord:
    """Outputs beside tensors.

    Attributes:
        entries: (M,) entries of the first tree's tensor, as shares of the largest.
        outputs: (M,) the first tree's circuit on the matching unit vectors, on the same scale.
        entry_error: largest difference, relative to the largest entry, worst tree.
        input_error: the same for random inputs, against the contraction of the tensor with the patches.
        other_error: the same for the first tree's weights and other pooling windows, 0 with 2 and 1 with 3.
    """

    entries: torch.Tensor
    outputs: torch.Tensor
    entry_error: float
    input_error: float
    other_error: float


def compare(config: Equivalence, rt: Runtime, seed: int) -> EquivalenceRecord:
    """Run every circuit on all unit vectors and on random inputs."""
    entry_errors, input_errors, kept = [], [], []
    for number, nested in enumerate(config.trees):
        tree, generator = hierarchical.mode_tree(nested), rng.generator(seed, "equivalence", number)
        shape = (config.length,) * tree.order
        weights = hierarchical.gaussian_weights(rt, [generator], tree=tree, shape=shape, width=config.width, std=1.0)
        tensor = hierarchical.end_tensor(tree, weights)[0]
        circuit = ArithmeticCircuit(tree, weights)
        units = rt.eye(config.length)
        choices = torch.cartesian_prod(*[torch.arange(config.length, device=rt.device)] * tree.order)
        patches = rt.normal(generator, config.inputs, tree.order, config.length)
        with torch.no_grad():
            outputs, answers = circuit(units[choices]), circuit(patches)
        contracted = _contract(tensor, patches)
        entry_errors.append(float((outputs - tensor.flatten()).abs().max() / tensor.abs().max()))
        input_errors.append(float((answers - contracted).abs().max() / contracted.abs().max()))
        kept.append((tensor, outputs, circuit, units[choices]))
    tensor, outputs, circuit, inputs = kept[0]
    scale = tensor.abs().max()
    with torch.no_grad():
        other = circuit(inputs[:, [0, 2, 1, 3]])
    return EquivalenceRecord(
        entries=tensor.flatten() / scale,
        outputs=outputs / scale,
        entry_error=max(entry_errors),
        input_error=max(input_errors),
        other_error=float((other - tensor.flatten()).abs().max() / scale),
    )


def _contract(tensor: torch.Tensor, patches: torch.Tensor) -> torch.Tensor:
    """<W, x_1 x ... x x_N> for every sample, axis by axis, (S,)."""
    result = tensor.expand(len(patches), *tensor.shape)
    for axis in range(patches.shape[1]):
        result = torch.einsum("si...,si->s...", result, patches[:, axis])
    return result
