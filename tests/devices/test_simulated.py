"""The simulated device itself: it refuses what a GPU refuses, takes what a GPU takes, and counts what makes it wait."""

from collections import Counter

import numpy as np
import pytest
import simulated
import torch
from torch.nn import functional

from offconvex import rng, runtime
from offconvex.descent import autograd_objective, descend


@pytest.fixture
def sim():
    """Runtime of float64 on the simulated device."""
    with simulated.installed() as rt:
        yield rt


@pytest.fixture
def square(sim):
    """A 4 by 4 matrix on it."""
    return sim.normal(rng.generator(0, "simulated"), 4, 4)


def counted(kind: str) -> int:
    return sum(count for (name, _), count in simulated.EVENTS.items() if name == kind)


def test_cuda_is_the_simulated_device_while_it_is_installed(sim):
    assert runtime.resolve("cuda").device == sim.device == torch.device("sim", 0)
    assert runtime.resolve("cuda", torch.float32).dtype == torch.float32
    assert runtime.resolve("cpu").device == torch.device("cpu")
    with pytest.raises(ValueError, match="`dtype` must be a torch floating-point type"):
        runtime.resolve("cuda", torch.int64)


def test_the_runtime_is_as_before_when_it_is_not():
    before = runtime.resolve
    with simulated.installed():
        assert runtime.resolve is not before
    assert runtime.resolve is before


@pytest.mark.parametrize("convert", [lambda x: x.numpy(), np.asarray, np.linalg.norm])
def test_a_missing_cpu_is_caught(square, convert):
    with pytest.raises(TypeError, match=r"can't convert sim:0 device type tensor to numpy. Use Tensor.cpu\(\)"):
        convert(square)
    assert convert(square.cpu()) is not None


@pytest.mark.parametrize(
    "mix",
    [
        lambda x, c: x + c,
        lambda x, c: c + x,
        lambda x, c: x.clone().add_(c),
        lambda x, c: x @ c,
        lambda x, c: torch.cat([x, c]),
        lambda x, c: torch.where(x > 0, x, c),
        lambda x, c: torch.einsum("ij,jk", x, c),
        lambda x, c: torch.linalg.solve(x, c),
        lambda x, c: torch.linalg.multi_dot([x, c, x]),
        lambda x, c: functional.mse_loss(x, c),
        lambda x, c: torch.func.vmap(torch.dot)(x, c),
        lambda x, c: torch.func.jvp(torch.sin, (x,), (c,)),
        lambda x, c: c[x.argmax(1)],
        lambda x, c: c.index_add(0, x.argmax(1), c),
        lambda x, c: x.masked_fill(c > 0, 0.0),
        lambda x, c: torch.equal(x, c),
        lambda x, c: functional.conv2d(x[None, None], c[None, None]),
    ],
)
def test_tensors_of_two_devices_are_not_mixed(square, mix):
    with pytest.raises((RuntimeError, ValueError), match=r"device"):
        mix(square, square.cpu().clone())
    mix(square, square.clone())


def test_the_generator_of_the_cpu_draws_nothing_there(sim):
    with pytest.raises(RuntimeError, match="Expected a 'sim' device type for generator but found 'cpu'"):
        torch.randn(3, generator=rng.generator(0, "simulated"), device=sim.device)


@pytest.mark.parametrize(
    "take",
    [
        lambda x: x + torch.tensor(2.0, device="cpu"),
        lambda x: torch.where(x > 0, 0.0, x),
        lambda x: torch.where(x > 0, x, torch.tensor(1.0, device="cpu")),
        lambda x: x.masked_fill(x > 0, torch.tensor(1.0, device="cpu")),
        lambda x: x[torch.tensor([0, 2], device="cpu")],
        lambda x: x[x[:, 0] > -9],
        lambda x: x[:, x.argmax(1)],
        lambda x: x.index_put((torch.tensor([1], device="cpu"),), x[:1]),
        lambda x: x.remainder(0.3),
        lambda x: x.to(torch.float32).remainder(0.3) + x.argmax(1) % 3 + x.argmax(1) * 0.5,
        lambda x: torch.linalg.matrix_rank(x, rtol=1e-3).to(x.dtype),
        lambda x: torch.linalg.svd(x)[1],
        lambda x: torch.linalg.eigvals(x).abs(),
        lambda x: torch.linalg.pinv(x),
        lambda x: torch.fft.fft(x).conj().imag,
        lambda x: (x.to(torch.complex128).conj() @ x.to(torch.complex128)).real,
        lambda x: x.quantile(0.3),
        lambda x: x.abs().sort(descending=True)[0],
        lambda x: x.unique(),
        lambda x: torch.zeros_like(x).unsqueeze_(0).transpose_(0, 1),
        lambda x: torch.add(x, x, out=torch.empty(0, dtype=x.dtype, device=x.device)),
        lambda x: x.clone().resize_(5, 3)[:4],
        lambda x: torch.arange(0, 1, 0.25, dtype=x.dtype, device=x.device),
        lambda x: functional.cross_entropy(x, x.argmax(1)),
        lambda x: functional.conv2d(x[None, None], x[None, None, :2, :2], padding=1),
        lambda x: functional.unfold(x[None, None], 2),
        lambda x: torch.func.vmap(torch.func.grad(lambda row: row.sin().sum()))(x),
        lambda x: torch.func.jvp(torch.sin, (x,), (x,))[1],
        lambda x: torch.func.hessian(lambda y: y.square().sum())(x[0]),
        lambda x: torch.func.functional_call(_linear(x), {"weight": x}, (x,)),
        lambda x: torch.utils.checkpoint.checkpoint(torch.sin, x, use_reentrant=False),
        lambda x: torch.as_tensor(x.tolist(), dtype=x.dtype, device=x.device),
    ],
)
def test_it_takes_what_a_gpu_takes_and_computes_the_same(square, take):
    there, here = take(square), take(square.cpu())
    assert there.device == square.device
    finite = slice(None) if here.shape != (4, 3) else slice(0, 2)  # what `resize_` adds has any value
    assert torch.equal(there.cpu()[finite] if there.dim() else there.cpu(), here[finite] if here.dim() else here)


def _linear(x):
    return torch.nn.Linear(4, 4, bias=False, device=x.device, dtype=x.dtype)


def trained(rt):
    draw = rng.generator(0, "simulated")
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3, device=rt.device, dtype=rt.dtype), torch.nn.BatchNorm2d(2, device=rt.device),
        torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8, 3, device=rt.device, dtype=rt.dtype),
    ).to(rt.dtype)  # fmt: skip
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(rt.normal(draw, *weight.shape))
    inputs, labels = rt.normal(draw, 5, 1, 4, 4), torch.arange(5, device=rt.device) % 3
    optimizer = torch.optim.Adam(network.parameters())
    for _ in range(3):
        optimizer.zero_grad()
        functional.cross_entropy(network(inputs), labels).backward()
        optimizer.step()
    return [weight.detach().cpu() for weight in network.parameters()]


def test_networks_train_there_as_on_the_cpu(sim, rt):
    for there, here in zip(trained(sim), trained(rt), strict=True):
        torch.testing.assert_close(there, here, rtol=1e-12, atol=1e-14)


def test_memory_outlives_the_names_it_had(sim):
    x = sim.zeros(1000)
    x.data = x[:500].add_(1).view(20, 25)
    y = x.t()[3:].unsqueeze_(0)
    del x
    for _ in range(20):
        sim.zeros(1000).add_(7)
    assert y.cpu().unique().tolist() == [1]
    simulated.host(y)[0, 0] = 5
    assert y[0, 0].sum().item() == 100


@pytest.mark.parametrize(
    ("ask", "events"),
    [
        (lambda x: x.sum().item(), {"item": 1}),
        (lambda x: float(x[0, 0]) if x.sum() > 0 else 0.0, {"item": 2}),
        (lambda x: x.cpu(), {"to host": 1}),
        (lambda x: x.to("cpu", torch.float32), {"to host": 1}),
        (lambda x: x.tolist(), {"to host": 1}),
        (lambda x: x.cpu().to(x.device), {"to host": 1, "to device": 1}),
        (lambda x: torch.tensor([1.0], device=x.device), {"to device": 1}),
        (lambda x: x[torch.tensor([1], device="cpu")], {"to device": 1}),
        (lambda x: x.nonzero(), {"wait": 1}),
        (lambda x: x[x > 0], {"wait": 1}),
        (lambda x: torch.equal(x, x), {"wait": 1}),
        (lambda x: torch.linalg.solve(x, x), {"item": 1}),  # which looks whether that went well
        (lambda x: (x @ x.T).sin().sum(1).to(torch.float32).argmax(), {}),
    ],
)
def test_what_makes_a_gpu_wait_is_counted(sim, square, ask, events):
    x = square + 5 * torch.eye(4, dtype=sim.dtype, device=sim.device)
    simulated.EVENTS.clear()
    ask(x)
    assert Counter({kind: n for kind in ("item", "to host", "to device", "wait") if (n := counted(kind))}) == events


def test_a_transfer_in_every_step_is_counted_with_its_place(sim):
    def objective(parameters):
        values = parameters[0].square().sum(1)
        return values * (values.cpu() > 0).to(values.device)  # there and back

    found = {}
    for steps in (5, 15):
        simulated.EVENTS.clear()
        descend(autograd_objective(objective), (sim.zeros(2, 3),), steps=steps, step_size=0.1)
        found[steps] = Counter(simulated.EVENTS)
    more = found[15] - found[5]
    place = "descent.autograd_objective.<locals>.objective"
    assert more["to host", place] == more["to device", place] == 10
