"""One full-batch step of the source's network against its matrix products, automatic differentiation and a DataLoader.

784-50-50-10 with ReLU, 1000 images, float64, one core: the engine of the stored runs, which takes the first layer as a
combination of the images, and the plain one. "Products" are the matrix products of that engine and nothing else. The
source's loop fetches, transforms and collates the images one by one through a DataLoader at every step; a DataLoader
over tensors that are ready only collates. Rounds alternate; medians of processor time are taken.

    OMP_NUM_THREADS=1 python benchmarks/flow_engine.py
"""

from collections.abc import Callable

import numpy as np
import timing
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, TensorDataset

from offconvex import datasets, runtime
from offconvex.book.publication.performance import Comparison
from offconvex.flow_vs_descent.dual import DualLoss
from offconvex.flow_vs_descent.model import PAPER_NETWORKS, images
from offconvex.flow_vs_descent.objective import network_loss

ROUNDS, RATE, MOST = 5, 1e-3, 1.6  # an engine may take at most 1.6 times its products
CPU = runtime.resolve("cpu", threads=1)
DATA = images(CPU, count=1000)


def steps(objective, parameters) -> Callable[[], None]:
    """Gradient descent in place."""

    def step() -> None:
        for p, g in zip(parameters, objective(parameters)[1]):
            p.sub_(g, alpha=RATE)

    return step


def products(parameters, *, dual: bool) -> Callable[[], None]:
    """The engine's matrix products: two with the images, or one with their kernel, and those of the other layers."""
    first, second, third = (layer[0] for layer in parameters)
    hidden, end = CPU.zeros(50, 1000), CPU.zeros(10, 1000)
    kernel = DATA.inputs.T @ DATA.inputs
    large, small, last = torch.empty_like(first), torch.empty_like(second), torch.empty_like(third)
    other = torch.empty_like(hidden)

    def step() -> None:
        if dual:
            torch.mm(hidden, kernel, out=other)
        else:
            torch.mm(first, DATA.inputs, out=other)
            torch.mm(hidden, DATA.inputs.T, out=large)
        torch.mm(second, hidden, out=other)
        torch.mm(third, hidden, out=end)
        torch.mm(end, hidden.T, out=last)
        torch.mm(third.T, end, out=other)
        torch.mm(hidden, hidden.T, out=small)
        torch.mm(second.T, hidden, out=other)

    return step


def module() -> torch.nn.Module:
    """The network as the source writes it."""
    sizes = PAPER_NETWORKS["relu"].widths
    layers: list[torch.nn.Module] = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [
            torch.nn.Linear(inputs, outputs, bias=False, dtype=CPU.dtype, device=CPU.device),
            torch.nn.ReLU(),
        ]
    return torch.nn.Sequential(*layers[:-1])


def autograd() -> Callable[[], None]:
    """Automatic differentiation on one tensor that holds all images."""
    network, inputs = module(), DATA.inputs.T.contiguous()
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE)

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(inputs), DATA.labels).backward()
        optimizer.step()

    return step


class SourceImages(Dataset):
    """Images as torchvision hands them out: to a picture, to a tensor, shifted and scaled, one by one."""

    def __init__(self):
        self.pixels, labels = (array[::10] for array in datasets.subset_arrays("train"))
        self.labels = [int(label) for label in labels]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        picture = Image.fromarray(self.pixels[index])
        tensor = torch.from_numpy(np.array(picture)).view(28, 28, 1).permute(2, 0, 1).contiguous()
        tensor = tensor.to(torch.float32).div(255)
        mean = torch.as_tensor([0.2860], dtype=tensor.dtype, device=tensor.device).view(-1, 1, 1)
        deviation = torch.as_tensor([0.3530], dtype=tensor.dtype, device=tensor.device).view(-1, 1, 1)
        return tensor.clone().sub_(mean).div_(deviation), self.labels[index]


def loader(dataset: Dataset) -> Callable[[], None]:
    """A loop over a DataLoader, which collates the full batch at every step."""
    network = module()
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE)
    batches = DataLoader(dataset, batch_size=1000, shuffle=False)

    def step() -> None:
        for inputs, labels in batches:
            optimizer.zero_grad()
            outputs = network(inputs.flatten(1).to(CPU.dtype))
            torch.nn.functional.cross_entropy(outputs, labels).backward()
            optimizer.step()

    return step


def contestant(name: str, step: Callable[[], None], count: int, bar: float | None = None, meaning: str = ""):
    run = timing.repeated(step)
    return timing.Contestant(name, lambda: run(count), count, bar, meaning, reference="products" in name)


def rows() -> list[Comparison]:
    network = PAPER_NETWORKS["relu"]
    start = network.start(CPU, 0, "benchmark")
    dual = DualLoss(network, DATA)
    own = tuple(p.clone() for p in start)
    layered = [
        contestant("engine, layer by layer", steps(network_loss(network, DATA), own), 40),
        contestant("its matrix products", products(start, dual=False), 40, 1 / MOST, "no layered method is faster"),
        contestant("autograd, one tensor", autograd(), 40, 1),
    ]
    combined = [
        contestant("engine, dual coordinates", steps(dual, dual.lift(start)), 40),
        contestant("its matrix products", products(start, dual=True), 40, 1 / MOST, "no dual method is faster"),
        contestant("autograd, one tensor", autograd(), 40, 1),
        contestant("DataLoader over tensors", loader(TensorDataset(DATA.inputs.T.contiguous(), DATA.labels)), 2),
        contestant("DataLoader over pictures", loader(SourceImages()), 1, 10, "the source's loop"),
    ]
    problem = "784-50-50-10, ReLU, 1000 images, float64"
    return [timing.compare("network", problem, "step", group, rounds=ROUNDS) for group in (layered, combined)]


if __name__ == "__main__":
    timing.show(rows())
