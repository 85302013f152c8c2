"""The shallow convolutional arithmetic circuit that a CP factorization is (razin2021implicit, Section 2.3)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from offconvex.factorizations.tensor.model import Factors

Pooling = Callable[[torch.Tensor], torch.Tensor]
"""Activations (n, N, R) of R channels at N positions -> (n, R)."""


class ConvolutionalArithmeticCircuit(nn.Module):
    """One layer of 1 x 1 convolutions with R channels, product pooling over all positions, and a sum over channels.

    f(x_1, ..., x_N) = sum_r prod_n <w_r^n, x_n>: for one-hot inputs x_n = e_{i_n} the output is entry (i_1, ..., i_N)
    of the tensor with factors W^n. Filters are not shared between positions. The only nonlinearity is the product.

    Args:
        factors: (1, d, R) each, all of the same length d: as many input channels at every position.
        pooling: what joins the positions; the product, unless the equivalence is to be broken.

    Raises:
        ValueError: unless there is one replica and all axes are of one length, as a convolution has one number of
            input channels.
    """

    def __init__(self, factors: Factors, pooling: Pooling | None = None):
        super().__init__()
        if len({f.shape for f in factors}) != 1 or factors[0].ndim != 3 or factors[0].shape[0] != 1:
            raise ValueError(f"Expected factors of one shape (1, d, R); got {[tuple(f.shape) for f in factors]}.")
        self.positions, self.channels = len(factors), factors[0].shape[2]
        length = factors[0].shape[1]
        self.convolution = nn.Conv1d(
            self.positions * length,
            self.positions * self.channels,
            kernel_size=1,
            groups=self.positions,
            bias=False,
            device=factors[0].device,
            dtype=factors[0].dtype,
        )
        with torch.no_grad():
            self.convolution.weight.copy_(torch.cat([f[0].mT for f in factors]).unsqueeze(-1))
        self.pooling = pooling or (lambda activations: activations.prod(1))

    def activations(self, inputs: Float[Tensor, "n N d"]) -> Float[Tensor, "n N channels"]:
        """Channels after the convolution."""
        return self.convolution(inputs.flatten(1).unsqueeze(-1)).view(-1, self.positions, self.channels)

    def forward(self, inputs: Float[Tensor, "n N d"]) -> Float[Tensor, " n"]:
        """Outputs of n inputs."""
        return self.pooling(self.activations(inputs)).sum(-1)


def one_hot_inputs(shape: tuple[int, ...], factors: Factors) -> Float[Tensor, "entries {len(shape)} {max(shape)}"]:
    """Every index of a tensor of that shape as N one-hot vectors, in the order of `Tensor.flatten`."""
    device, dtype = factors[0].device, factors[0].dtype
    indices = torch.cartesian_prod(*(torch.arange(d, device=device) for d in shape))
    return torch.eye(max(shape), device=device, dtype=dtype)[indices]
