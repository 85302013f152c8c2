"""Properties of the shared instruments: streams, runtimes, descent, flow, stored arrays, claims, figures, citations."""

import math
import pathlib

import matplotlib.pyplot
import numpy as np
import torch
from properties import Draw, case, within

from offconvex import descent, rng, runtime

RT = runtime.Runtime(torch.device("cpu"), torch.float64)


def stream(d: Draw):
    return d.int(0, 2**63), d.one("start", "a name"), d.int(0, 9)


def check_stream(result, seed, *names):
    assert 0 <= result < 2**64
    assert result != rng.stream_seed(seed + 1, *names) and result != rng.stream_seed(seed, *names, 0)


REFUSED_SEEDS = [lambda seed=seed: ((seed, "x"), {}) for seed in (-1, 1.5, "1", None)] + [lambda: ((1,), {})]
case("rng.stream_seed", stream, check_stream, refuses=REFUSED_SEEDS)
case("rng.generator", stream, lambda result, *_: within(result.device.type == "cpu", 1, 1), refuses=REFUSED_SEEDS)
case("rng.numpy_generator", stream, refuses=REFUSED_SEEDS)


def resolved(d):
    return ("cpu", d.one(torch.float64, torch.float32)), {"threads": 1}


def check_resolved(result, device, dtype, *, threads):
    assert result == runtime.Runtime(torch.device("cpu"), dtype)
    made = [result.zeros(2, 3), result.eye(2), result.tensor([1, 2]), result.normal(rng.generator(0, "x"), 4)]
    assert all(x.dtype == dtype and x.device == result.device for x in made)


case(
    "runtime.resolve",
    resolved,
    check_resolved,
    refuses=[
        lambda: (("tpu",), {}),
        lambda: (("cpu:x",), {}),
        lambda: (("cpu", torch.int64), {}),
        lambda: (("cpu", "float64"), {}),
        lambda: (("cpu",), {"threads": 0}),
    ],
)


def bowl(parameters):
    return sum(p.square().reshape(len(p), -1).sum(1) for p in parameters)


def parameters(d, replicas=None):
    replicas = replicas or d.int(1, 3)
    return tuple(d.tensor(replicas, *(d.int(1, 3) for _ in range(d.int(0, 2)))) for _ in range(d.int(1, 3)))


case(
    "descent.replica_count",
    lambda d: (parameters(d),),
    lambda result, p: within(result, len(p[0]), len(p[0])),
    refuses=[
        lambda: (((RT.zeros(2, 1), RT.zeros(3, 1)),), {}),
        lambda: (((RT.zeros(),),), {}),
        lambda: (((),), {}),
    ],
)


def check_objective(result, loss):
    value, (gradient,) = result((RT.tensor([[1.0, 2.0]]),))
    assert value.tolist() == [5.0] and gradient.tolist() == [[2.0, 4.0]]


case("descent.autograd_objective", lambda d: bowl, check_objective)


def descending(d):
    start = parameters(d)
    options = {"steps": d.int(0, 5), "step_size": d.one(0.1, "each", "adaptive"), "record_every": d.int(1, 3)}
    if options["step_size"] == "each":
        options["step_size"] = d.tensor(len(start[0]), low=0.05, high=0.4)
    if options["step_size"] == "adaptive":
        options["step_size"] = descent.GroupRMSprop(0.01)
    return (descent.autograd_objective(bowl), start), options


def check_descent(result, objective, start, *, steps, step_size, record_every):
    assert result.iterations[0] == 0 and result.iterations[-1] == steps and result.steps == steps
    assert result.loss.shape == result.times.shape == (len(result.iterations), len(start[0]))
    assert [p.shape for p in result.parameters] == [p.shape for p in start]
    if steps and not isinstance(step_size, descent.GroupRMSprop):
        assert (result.loss.diff(dim=0) <= 0).all()
        factor = (1 - 2 * torch.as_tensor(step_size, device="cpu")) ** steps
        for after, before in zip(result.parameters, start):
            shaped = factor.reshape(-1, *[1] * (before.ndim - 1)) if factor.ndim else factor
            assert torch.allclose(after, shaped * before)


OBJECTIVE = descent.autograd_objective(bowl)
START = (RT.zeros(2, 1) + 1,)
case(
    "descent.descend",
    descending,
    check_descent,
    examples=10,
    single=False,  # the clock is kept in double precision
    refuses=[
        lambda changed=changed: ((OBJECTIVE, START), {"steps": 1, "step_size": 0.1} | changed)
        for changed in (
            {"steps": -1},
            {"record_every": 0},
            {"step_size": 0.0},
            {"step_size": -1.0},
            {"step_size": math.nan},
            {"step_size": RT.zeros(3) + 1},
        )
    ],
)


def flowing(d):
    return (OBJECTIVE, parameters(d), d.rising(d.int(2, 4), 0, d.float(0.1, 2)))


def check_flow(result, objective, start, times):
    for after, before in zip(result.parameters, start):
        assert torch.allclose(after, before * math.exp(-2 * times[-1]), rtol=1e-6, atol=1e-9)


REFUSED_TIMES = [np.array([0.0]), np.array([0.0, 0.0]), np.array([1.0, 0.0]), np.array([0.0, np.nan])]
case(
    "flow.flow",
    flowing,
    check_flow,
    single=False,
    refuses=[lambda times=times: ((OBJECTIVE, START, times), {}) for times in REFUSED_TIMES],
)
case(
    "flow.integrate",
    lambda d: (np.negative, d.normal(d.int(1, 4)), d.rising(d.int(2, 4), 0, d.float(0.1, 2))),
    lambda result, field, initial, times: within(np.abs(result[0] - np.exp(-times[:, None]) * initial).max(), 0, 1e-6),
    refuses=[lambda times=times: ((np.negative, np.ones(2), times), {}) for times in REFUSED_TIMES],
)


def hit(d):
    level = d.float(0.05, 0.9)
    return (OBJECTIVE, (d.rt.tensor([[1.0]]),), lambda p: level - float(p[0][0, 0])), {"horizon": 9.0}


case(
    "flow.hitting_time",
    hit,
    lambda result, *_, horizon: within(result, 0, horizon),
    refuses=[
        lambda: ((OBJECTIVE, START, float), {"horizon": 1.0}),
        lambda: ((OBJECTIVE, (RT.zeros(1, 1) + 1,), float), {"horizon": 0.0}),
    ],
)


def named_arrays(d):
    return {f"a{k}": d.normal(*(d.int(0, 3) for _ in range(d.int(0, 3)))) for k in range(d.int(1, 3))}


def check_pack(result, arrays):
    from offconvex import stored

    back = stored.unpack(result)
    assert list(back) == list(arrays) and all(np.array_equal(back[k], arrays[k]) for k in arrays)


def packed(d):
    from offconvex import stored

    return stored.pack(named_arrays(d))


case("stored.pack", named_arrays, check_pack)
case("stored.unpack", packed)
case("stored.settings", lambda d: descent.GroupRMSprop(d.float(0.1, 1)), lambda result, c: within(len(result), 3, 3))
case("claims.as_mapping", lambda d: (d.one(1.0, {"a": 2.0}),), lambda result, value: within(len(result), 1, 1))
case(
    "figures.ordered_colors",
    lambda d: d.int(1, 12),
    lambda result, count: within((len(result), len(set(result))), count, count),
)
case(
    "datasets.subset_arrays",
    lambda d: d.one("train", "test"),
    lambda result, split: within(result[0].shape[1:] == (28, 28) and len(result[0]) == len(result[1]), 1, 1),
    examples=2,
)
case(
    "datasets.fashion_mnist",
    lambda d: ((d.one("test"),), {"runtime": d.rt}),
    lambda result, *_, **__: within(result.pixels.numpy(), 0, 1),
    examples=1,
    refuses=[lambda: (("valid",), {"runtime": RT})],
)
for name in ("book_file", "live_results", "committed_results"):
    case(
        f"paths.{name}",
        lambda d: d.one("norms", "a chapter"),
        lambda result, chapter: within(isinstance(result, pathlib.Path) and result.name == chapter, 1, 1),
    )

# --- the pipeline's functions of text ---------------------------------------------------------------------------------


def text(d):
    return "".join(d.one("a", "$x_1$", " ", "50%", "_", "&", "–", "{cite:t}`smith2020title`", ". B") for _ in range(6))


def check_latex(result, given):
    assert not any(f"{c}" in result.replace(f"\\{c}", "") for c in "%&#")


case("book.cite.plain", text, lambda result, given: within("{cite" in result, 0, 0))
case("book.cite.latex", lambda d: text(d).replace("$x_1$", "").replace("{cite:t}", ""), check_latex)
case("book.catalog.first_sentence", text, lambda result, given: within(result.count("\n"), 0, 0))
case(
    "book.sweep.read_seeds",
    lambda d: (lambda first, count: f"{first}:{first + count}")(d.int(0, 99), d.int(1, 50)),
    lambda result, given: within(result == range(*map(int, given.split(":"))), 1, 1),
    refuses=[lambda s=s: ((s,), {}) for s in ("", "3:3", "5:2", "-1:4", "a", "1.5", "0:1:2")],
)
case(
    "book.chapters.nearest",
    lambda d: (d.one("norm", "zzz", ""), ["norms", "tempering"]),
    lambda result, name, known: within("'norms'" in result, name == "norm", name == "norm"),
)
case(
    "book.api.sections",
    lambda d: d.one("One.", "One.\n\nArgs:\n    x: it.", ""),
    lambda result, doc: within(len(result), 0, 2),
)


# --- figures ----------------------------------------------------------------------------------------------------------


def check_new(result, width, *, rows, columns):
    figure, axes = result
    assert len(np.ravel(axes)) == rows * columns
    matplotlib.pyplot.close(figure)


case(
    "figures.new",
    lambda d: ((d.one("single", "double"),), {"rows": d.int(1, 3), "columns": d.int(1, 3)}),
    check_new,
    examples=2,
    refuses=[lambda: (("triple",), {})],
)
case("paths.build_folder", lambda d: ((), {}), lambda result: within(result.name == "_build", 1, 1), examples=1)
case("stored.experiments", lambda d: ((), {}), lambda result: within(len(result) > 5, 1, 1), examples=1)
case(
    "flow_vs_descent.model.images",
    lambda d: ((d.rt,), {"count": d.int(1, 50), "side": d.one(28, 14, 7)}),
    lambda result, rt, *, count, side: within(tuple(result.inputs.shape) == (side * side, count), 1, 1),
    examples=2,
    refuses=[
        lambda: ((RT,), {"count": 0}),
        lambda: ((RT,), {"count": 10_001}),
        lambda: ((RT,), {"side": 10}),
    ],
)
