"""Properties of the shared instruments: streams, devices, descent, flow, numbers off curves, stored arrays, figures."""

import math

import numpy as np
import torch
from properties import agree, case

from offconvex import claims, datasets, descent, figures, flow, rng, runtime
from offconvex.book.execution import sweep
from offconvex.flow_vs_descent import model as images_model

RT = runtime.Runtime(torch.device("cpu"), torch.float64)


# --- streams and devices ----------------------------------------------------------------------------------------------


def stream(d):
    return d.int(0, 2**63), d.one("start", "a name"), d.int(0, 9)


def refused_stream(*bad):
    return {"seed": [-1, 1.5, "1", None], "stream": [()]}


case(rng.stream_seed, stream, refuses=refused_stream())
case(
    rng.generator,
    stream,
    lambda g, *s: g.device.type == "cpu" and g.initial_seed() != rng.generator(s[0] + 1, *s[1:]).initial_seed(),
    refuses=refused_stream(),
)
case(
    rng.numpy_generator,
    stream,
    lambda g, seed, *names: g.random() != rng.numpy_generator(seed, *names, 1).random(),
    refuses=refused_stream(),
)


case(
    runtime.resolve,
    lambda d: (("cpu", d.one(torch.float64, torch.float32)), {"threads": 1}),
    refuses={"device": ["tpu", "cpu:x"], "dtype": [torch.int64, "float64"], "threads": [0, 1.5]},
)

# --- descent and flow -------------------------------------------------------------------------------------------------


def bowl(parameters):
    return sum(p.square().reshape(len(p), -1).sum(1) for p in parameters)


def parameters(d):
    replicas = d.int(1, 3)
    return tuple(d.tensor(replicas, *(d.int(1, 3) for _ in range(d.int(0, 2)))) for _ in range(d.int(1, 3)))


case(
    descent.replica_count,
    lambda d: (parameters(d),),
    lambda result, p: result == len(p[0]),
    refuses={"parameters": [(RT.zeros(2, 1), RT.zeros(3, 1)), (RT.zeros(),), ()]},
)


case(descent.autograd_objective, lambda d: bowl)


def descending(d):
    start = parameters(d)
    options = {"steps": d.int(0, 5), "step_size": d.one(0.1, "each", "adaptive"), "record_every": d.int(1, 3)}
    if options["step_size"] == "each":
        options["step_size"] = d.tensor(len(start[0]), low=0.05, high=0.4)
    if options["step_size"] == "adaptive":
        options["step_size"] = descent.GroupRMSprop(0.01)
    return (OBJECTIVE, start), options


def check_descent(result, objective, start, *, steps, step_size, record_every):
    assert result.iterations.tolist() == sorted({*range(0, steps + 1, record_every), steps})
    if isinstance(step_size, descent.GroupRMSprop):
        # All parameters of a replica move by one scalar, so they stay proportional to where they began.
        size = sum(p.square().reshape(len(p), -1).sum(1) for p in start)
        shares = [(a * b).reshape(len(a), -1).sum(1) for a, b in zip(result.parameters, start)]
        factor = sum(shares) / size
        first = 0.01 * size.sqrt() * 2 / (2 * size.sqrt() + 1e-6)
        assert steps != 1 or torch.allclose(1 - factor, first / size.sqrt())
    else:
        factor = (1 - 2 * torch.as_tensor(step_size, device="cpu", dtype=start[0].dtype)) ** steps
        factor = factor.expand(len(start[0]))
        assert torch.allclose(
            result.times[-1], (steps * torch.as_tensor(step_size, device="cpu").double()).expand(len(start[0]))
        )
    for after, before in zip(result.parameters, start):
        assert torch.allclose(after, factor.reshape(-1, *[1] * (before.ndim - 1)) * before)
    assert torch.allclose(result.loss[-1], bowl(result.parameters))


OBJECTIVE = descent.autograd_objective(bowl)
BAD_STEPS = [0.0, -1.0, math.nan, RT.zeros(9) + 1]
case(
    descent.descend,
    descending,
    check_descent,
    examples=20,
    single=False,  # the clock is kept in double precision
    refuses={"steps": [-1], "record_every": [0], "step_size": BAD_STEPS},
)
REFUSED_TIMES = {"times": [np.array(t) for t in ([0.0], [0.0, 0.0], [1.0, 0.0], [0.0, np.nan])]}


def check_flow(result, objective, start, times):
    for after, before in zip(result.parameters, start):
        assert torch.allclose(after, before * math.exp(-2 * times[-1]), rtol=1e-6, atol=1e-9)
    assert agree(result.loss, np.exp(-4 * times)[:, None] * bowl(start).numpy(), 1e-6)


case(
    flow.flow,
    lambda d: (OBJECTIVE, parameters(d), d.rising(d.int(2, 4), 0, d.float(0.1, 2))),
    check_flow,
    single=False,
    refuses=REFUSED_TIMES,
)
case(
    flow.integrate,
    lambda d: (np.negative, d.normal(d.int(1, 4)), d.rising(d.int(2, 4), 0, d.float(0.1, 2))),
    lambda result, field, initial, times: agree(result[0], np.exp(-times[:, None]) * initial, 1e-6),
    refuses=REFUSED_TIMES,
)
LEVEL = 0.3
case(
    flow.hitting_time,
    lambda d: (
        (
            OBJECTIVE,
            (d.rt.tensor([[d.float(0.4, 2)]]),),
        ),
        {"until": lambda p: LEVEL - float(p[0][0, 0]), "horizon": 9.0},
    ),
    lambda result, _, start, **__: agree(result, math.log(float(start[0][0, 0]) / LEVEL) / 2, 1e-6),
    refuses={"parameters: replica": [(RT.zeros(2, 1) + 1,)], "horizon": [0.0]},
)

# --- numbers off curves -----------------------------------------------------------------------------------------------


# --- what is kept -----------------------------------------------------------------------------------------------------


case(
    claims.as_mapping,
    lambda d: (d.one(1.0, {"a": 2.0}),),
    lambda r, value: r == (value if isinstance(value, dict) else {"": value}),
)


case(datasets.fashion_mnist, lambda d: (("test",), {"rt": d.rt}), examples=1, refuses={"split": ["valid"]})


case(
    images_model.images,
    lambda d: ((d.rt,), {"count": d.int(1, 50), "side": d.one(28, 14, 7)}),
    examples=2,
    refuses={"count": [0, 10_001], "side": [10]},
)

# --- figures and texts ------------------------------------------------------------------------------------------------


case(
    figures.new,
    lambda d: ((d.one("single", "double"),), {"rows": d.int(1, 3), "columns": d.int(1, 3)}),
    examples=2,
    refuses={"width": ["triple"]},
)


case(
    sweep.read_seeds,
    lambda d: (lambda first, count: f"{first}:{first + count}")(d.int(0, 99), d.int(1, 50)),
    lambda r, given: r == range(*map(int, given.split(":"))),
    refuses={"text: seeds": ["", "3:3", "5:2", "-1:4", "a", "1.5", "0:1:2", "1,,2", "1,2:3", "99999999999"]},
)
