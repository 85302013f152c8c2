"""Properties of the factorizations: matrices, tensors, trees, norms, penalties."""

import math

import numpy as np
import torch
from properties import Draw, case

from offconvex import rng, runtime
from offconvex.factorizations.hierarchical import model as hierarchical
from offconvex.factorizations.matrix import model as matrix
from offconvex.factorizations.matrix import nuclear_norm
from offconvex.factorizations.tensor import model as tensor

RT = runtime.Runtime(torch.device("cpu"), torch.float64)
ROOM = "factorizations"


def streams(count):
    return [rng.generator(0, "refused", number) for number in range(count)]


def layers(d: Draw, *, square=True, low=1):
    replicas, depth, size = d.int(1, 3), d.int(low, 4), d.int(1, 5)
    sizes = [size] * (depth + 1) if square else [d.int(1, 5) for _ in range(depth + 1)]
    return tuple(d.tensor(replicas, sizes[j + 1], sizes[j]) for j in range(depth))


def factors(d: Draw, orders=(2, 5)):
    replicas, components = d.int(1, 3), d.int(1, 4)
    return tuple(d.tensor(replicas, d.int(1, 4), components) for _ in range(d.int(*orders)))


def tree_weights(d: Draw):
    nested = d.one((0, 1), (0, 1, 2), ((0, 1), 2), ((0, 1), (2, 3)), ((0, 1, 2), 3), (((0, 1), 2), 3))
    tree = hierarchical.mode_tree(nested)
    replicas, width = d.int(1, 3), d.int(1, 3)
    shape = tuple(d.int(1, 3) for _ in range(tree.order))
    shapes = hierarchical.weight_shapes(tree, shape, width)
    return tree, tuple(d.tensor(replicas, *rows) for rows in shapes), shape, width


def matrices(d: Draw, *, square=False):
    rows = d.int(1, 5)
    return d.tensor(d.int(1, 3), rows, rows if square else d.int(1, 5))


def completion(d: Draw, replicas=(1, 3), sizes=(2, 5)):
    count, rows, columns = d.int(*replicas), d.int(*sizes), d.int(*sizes)
    return d.tensor(count, rows, columns), d.mask(count, rows, columns)


def singular(x):
    return torch.linalg.svdvals(x)


# --- data and matrices ------------------------------------------------------------------------------------------------


def low_rank(d):
    size = d.int(1, 8)
    return (d.rt, d.generator()), {"size": size, "rank": d.int(1, size)}


def check_low_rank(result, rt, _generator, *, size, rank):
    assert result.shape == (size, size)
    assert math.isclose(float(result.norm()), size, rel_tol=1e-9)
    assert int((singular(result) > 1e-9 * size).sum()) <= rank


case(
    f"{ROOM}.data.low_rank_matrix",
    low_rank,
    check_low_rank,
    refuses=[lambda rank=rank: ((RT, rng.generator(0, "x")), {"size": 3, "rank": rank}) for rank in (0, -1, 4)],
)


def mask_arguments(d):
    size = d.int(1, 8)
    return (d.rt, d.generator()), {"size": size, "observed": d.int(1, size * size)}


def check_mask(result, rt, _generator, *, size, observed):
    assert result.shape == (size, size) and set(result.unique().tolist()) <= {0.0, 1.0} and result.sum() == observed


case(
    f"{ROOM}.data.observation_mask",
    mask_arguments,
    check_mask,
    refuses=[lambda n=n: ((RT, rng.generator(0, "x")), {"size": 3, "observed": n}) for n in (0, -1, 10)],
)


def check_end(result, stack):
    assert result.shape == (len(stack[0]), stack[-1].shape[1], stack[0].shape[2])


case(f"{ROOM}.matrix.end_to_end", lambda d: (layers(d, square=False),), check_end, each=[0])


def gaussian(d):
    replicas = d.int(1, 4)
    options = {"depth": d.int(1, 4), "size": d.int(1, 5), "std": d.float(1e-3, 10)}
    return (d.rt, d.generators(replicas)), options


def check_layers(result, rt, generators, *, depth, size, std):
    assert len(result) == depth and all(layer.shape == (len(generators), size, size) for layer in result)


def refused_layers(**changed):
    return lambda: ((RT, streams(2)), {"depth": 2, "size": 3, "std": 0.1} | changed)


case(
    f"{ROOM}.matrix.gaussian_layers",
    gaussian,
    check_layers,
    each=[1],
    refuses=[refused_layers(depth=0), refused_layers(size=0), refused_layers(std=0.0), refused_layers(std=-1.0)],
)


def identity(d):
    options = {"depth": d.int(1, 4), "size": d.int(1, 5), "replicas": d.int(1, 3), "scale": d.float(1e-3, 10)}
    return (d.rt,), options


def check_identity(result, rt, *, depth, size, replicas, scale):
    assert torch.allclose(matrix.end_to_end(result), scale * rt.eye(size).expand(replicas, -1, -1))


case(
    f"{ROOM}.matrix.identity_layers",
    identity,
    check_identity,
    refuses=[
        lambda changed=changed: ((RT,), {"depth": 2, "size": 3, "replicas": 1, "scale": 1.0} | changed)
        for changed in ({"depth": 0}, {"size": 0}, {"scale": 0.0})
    ],
)


def check_balanced(result, product, *, depth):
    scale = float(product.abs().max()) + 1e-12
    assert len(result) == depth
    assert float((matrix.end_to_end(result) - product).abs().max()) <= 1e-8 * scale
    for below, above in zip(result, result[1:]):
        assert float((above.mT @ above - below @ below.mT).abs().max()) <= 1e-8 * scale ** (2 / depth)


case(
    f"{ROOM}.matrix.balanced_layers",
    lambda d: ((matrices(d, square=True),), {"depth": d.int(1, 4)}),
    check_balanced,
    refuses=[
        lambda: ((RT.zeros(1, 2, 3),), {"depth": 2}),
        lambda: ((RT.zeros(1, 2, 2),), {"depth": 0}),
    ],
)


def check_end_loss(result, target, weights):
    product, gradient = target + 1, torch.empty_like(target)
    value = result(product.clone(), gradient)
    assert torch.allclose(value, 0.5 * weights.expand_as(target).sum((1, 2))) and torch.allclose(
        gradient, weights.expand_as(target)
    )


case(
    f"{ROOM}.matrix.squared_loss",
    lambda d: completion(d),
    check_end_loss,
    refuses=[
        lambda: ((RT.zeros(1, 2, 2), RT.zeros(1, 2, 3)), {}),
        lambda: ((RT.zeros(1, 2, 2), RT.zeros(1, 2, 2) - 1), {}),
    ],
)


def check_completion_loss(result, target, mask):
    gradient = torch.empty_like(target)
    value = result((target + 1).clone(), gradient)
    assert torch.allclose(value, torch.ones_like(value))
    assert torch.allclose(gradient, 2 * mask / mask.sum((1, 2), keepdim=True))


case(
    f"{ROOM}.matrix.completion_loss",
    lambda d: completion(d),
    check_completion_loss,
    refuses=[lambda: ((RT.zeros(1, 2, 2), RT.zeros(1, 2, 2)), {})],
)


def end_gradient(d):
    target, mask = completion(d)
    return matrix.completion_loss(target, mask), target + 1


case(f"{ROOM}.matrix.end_gradient", end_gradient, lambda result, loss, product: shape_is(result, product.shape))


def shape_is(result, shape):
    assert tuple(result.shape) == tuple(shape)


def objective(d):
    target, mask = completion(d, replicas=(1, 1), sizes=(3, 3))
    return matrix.completion_loss(target, mask)


def check_matrix_objective(result, end_loss):
    """Gradients by hand are those of automatic differentiation of the loss, which is the end matrix's own."""
    stack = tuple(0.3 * RT.normal(rng.generator(5, "layers", j), 1, 3, 3) for j in range(3))
    value, gradients = result(stack)
    leaves = tuple(layer.clone().requires_grad_() for layer in stack)
    product = matrix.end_to_end(leaves)
    gradient = torch.empty_like(product)
    assert torch.allclose(value, end_loss(product.detach().clone(), gradient))
    expected = torch.autograd.grad((product * gradient).sum(), leaves)
    assert all(torch.allclose(ours, theirs) for ours, theirs in zip(gradients, expected))


case(f"{ROOM}.matrix.matrix_objective", objective, check_matrix_objective)
case(
    f"{ROOM}.measure.relative_error",
    lambda d: (lambda x, y: (x, y))(*pair(d)),
    lambda result, product, target: shape_is(result, target.shape[:1]),
    each=[0, 1],
)


def pair(d, shape=None):
    shape = shape or (d.int(1, 3), d.int(1, 5), d.int(1, 5))
    return d.tensor(*shape), d.tensor(*shape)


def projections(d):
    shape = (d.int(1, 3), d.int(1, 5), d.int(1, 5))
    return d.tensor(*shape), d.tensor(*shape), d.int(1, min(shape[1:]))


case(
    f"{ROOM}.measure.growth_projections",
    projections,
    lambda result, product, gradient, count: [shape_is(v, (len(product), count)) for v in result.values()],
    each=[0, 1],
)
case(
    f"{ROOM}.measure.layer_gaps",
    lambda d: (layers(d, low=2),),
    lambda result, stack: shape_is(result, (len(stack[0]), len(stack) - 1, *stack[0].shape[1:])),
    each=[0],
    refuses=[lambda: (((RT.zeros(1, 2, 2),),), {})],
)


def curve(d):
    count = d.int(2, 12)
    return d.rising(count, 0, d.float(1, 9)), np.cumsum(d.uniform(count))


def check_crossing(result, times, values, level):
    assert (math.isnan(result) and values.max() < level) or times[0] <= result <= times[-1]


case(f"{ROOM}.measure.crossing", lambda d: (*curve(d), d.float(0.01, 3)), check_crossing, finite=False)


def curves(d):
    times, values = curve(d)
    table = np.stack([values * d.float(0.5, 2) for _ in range(d.int(1, 4))], 1)
    return times, table, table[-1]


case(
    f"{ROOM}.measure.take_offs",
    curves,
    lambda result, times, values, final: shape_is(result, final.shape),
)
case(f"{ROOM}.measure.overlap", curves, lambda result, *_: within(result, 0, 1))


def within(result, low, high):
    assert (np.asarray(result) >= low - 1e-12).all() and (np.asarray(result) <= high + 1e-12).all(), result


case(
    f"{ROOM}.measure.last_rise",
    lambda d: (d.normal(d.int(1, 9)), d.float(-1, 1)),
    lambda result, values, level: within((values[result:] >= level).all(), 1, 1),
)


def check_power(result, x, y):
    assert math.isclose(result[0], 1.5, abs_tol=1e-6) and math.isclose(result[1], 3.0, rel_tol=1e-6)


def power(d):
    x = d.rising(d.int(2, 9), 0.1, 5)
    return x, 3 * x**1.5


case(f"{ROOM}.measure.power_law", power, check_power)

# --- closed forms -----------------------------------------------------------------------------------------------------


def grown(d, low=1):
    shape = (d.int(1, 6),)
    return (d.uniform(*shape, low=0, high=4), d.normal(*shape)), {"depth": d.int(low, 5)}


case(f"{ROOM}.theory.growth_rate", grown, lambda result, value, *_, **__: shape_is(result, value.shape), each=[0, 1])


def discrete(d):
    count, width = d.int(2, 7), d.int(1, 3)
    return (d.uniform(count - 1, low=0.001, high=0.01), d.normal(count, width), d.uniform(width, low=0.1)), {
        "depth": d.int(1, 5)
    }


case(
    f"{ROOM}.theory.discrete_growth",
    discrete,
    lambda result, steps, projections, *_, **__: shape_is(result, (len(steps) + 1, *projections.shape[1:])),
)


def quadratic(d):
    target = d.float(0.5, 3)
    options = {"initial": target * d.float(0.01, 0.9), "target": target, "curvature": d.float(0.2, 2)}
    return (d.rising(d.int(2, 8), 0, d.float(0.1, 10)),), options | {"depth": d.int(1, 4)}


def check_quadratic(result, times, *, initial, target, curvature, depth):
    assert result.shape == times.shape and math.isclose(result[0], initial, rel_tol=1e-6)
    assert (np.diff(result) >= -1e-9).all() and (result <= target * (1 + 1e-9)).all()


def refused_quadratic(**changed):
    options = {"initial": 0.1, "target": 1.0, "curvature": 1.0, "depth": 2}
    return lambda: ((np.array([0.0, 1.0]),), options | changed)


case(
    f"{ROOM}.theory.aligned_quadratic",
    quadratic,
    check_quadratic,
    each=[0],
    loose=1e-6,
    refuses=[
        refused_quadratic(depth=5),
        refused_quadratic(depth=0),
        refused_quadratic(initial=2.0),
        refused_quadratic(initial=0.0),
    ],
)
case(
    f"{ROOM}.theory.stable_step",
    lambda d: ((d.float(0.1, 5),), {"observed": d.int(1, 100), "depth": d.int(1, 5)}),
    lambda result, *_, **__: within(result, 0, math.inf),
)
case(
    f"{ROOM}.theory.escape_time",
    lambda d: ((d.uniform(d.int(1, 5), low=1e-6, high=0.1),), {"target": 1.0, "curvature": 1.0, "depth": d.int(2, 5)}),
    lambda result, initial, **_: shape_is(result, initial.shape),
    each=[0],
    refuses=[lambda: ((np.array([0.1]),), {"target": 1.0, "curvature": 1.0, "depth": 1})],
)


def component_growth(d):
    shape = (d.int(1, 5),)
    return d.uniform(*shape, low=0.1), d.normal(*shape), d.uniform(*shape, d.int(2, 4), low=0.2)


case(
    f"{ROOM}.tensor_theory.unbalanced_growth",
    component_growth,
    lambda result, value, *_: shape_is(result, value.shape),
    each=[0, 1, 2],
)


def bounds(d):
    shape = (d.int(1, 5),)
    return (d.uniform(*shape, low=0.1), d.uniform(*shape), d.float(0, 2)), {"axes": d.int(2, 5)}


def ordered(result, *_, **__):
    assert (np.asarray(result[0]) <= np.asarray(result[1]) * (1 + 1e-12)).all()


case(f"{ROOM}.tensor_theory.growth_bounds", bounds, ordered, each=[0, 1])


def node_growth(d):
    count, components, vectors = d.int(2, 6), d.int(1, 3), d.int(2, 4)
    steps = d.uniform(count - 1, low=1e-4, high=1e-3)
    return steps, d.normal(count, components), d.uniform(vectors, components, low=0.5)


case(
    f"{ROOM}.hierarchical_theory.discrete_growth",
    node_growth,
    lambda result, steps, projections, _: shape_is(result, projections.shape),
)

# --- tensors ----------------------------------------------------------------------------------------------------------


def columns(d):
    batch, components = d.int(1, 3), d.int(1, 4)
    return d.tensor(batch, d.int(1, 4), components), d.tensor(batch, d.int(1, 4), components)


case(
    f"{ROOM}.tensor.khatri_rao",
    columns,
    lambda result, left, right: shape_is(result, (len(left), left.shape[1] * right.shape[1], left.shape[2])),
    each=[0, 1],
)
case(f"{ROOM}.tensor.split_order", lambda d: d.int(2, 9), lambda result, order: within(result, 1, order - 1))


def check_tensor(result, parts):
    shape_is(result, (len(parts[0]), *(part.shape[1] for part in parts)))
    letters = "abcdefg"[: len(parts)]
    formula = ",".join(f"z{letter}r" for letter in letters) + f"->z{letters}"
    assert torch.allclose(result, torch.einsum(formula, *parts))


case(
    f"{ROOM}.tensor.end_tensor",
    lambda d: (factors(d),),
    check_tensor,
    each=[0],
    refuses=[
        lambda: (((RT.zeros(1, 2, 3),),), {}),
        lambda: (((RT.zeros(1, 2, 3), RT.zeros(1, 2, 4)),), {}),
        lambda: (((RT.zeros(1, 2, 3), RT.zeros(2, 2, 3)),), {}),
    ],
)


def gaussian_factors(d):
    shape = tuple(d.int(1, 4) for _ in range(d.int(2, 5)))
    return (d.rt, d.generators(d.int(1, 3))), {"shape": shape, "components": d.int(1, 4), "std": d.float(1e-3, 2)}


def refused_factors(**changed):
    return lambda: ((RT, streams(1)), {"shape": (2, 3), "components": 2, "std": 0.1} | changed)


case(
    f"{ROOM}.tensor.gaussian_factors",
    gaussian_factors,
    lambda result, rt, generators, *, shape, components, std: [
        shape_is(part, (len(generators), size, components)) for part, size in zip(result, shape, strict=True)
    ],
    each=[1],
    refuses=[
        refused_factors(shape=(3,)),
        refused_factors(shape=(3, 0)),
        refused_factors(components=0),
        refused_factors(std=0.0),
    ],
)


def check_balanced_factors(result, parts):
    assert torch.allclose(tensor.end_tensor(result), tensor.end_tensor(parts), atol=1e-8)
    norms = torch.stack([part.norm(dim=1) for part in result])
    assert torch.allclose(norms, norms[:1].expand_as(norms), rtol=1e-6)


case(f"{ROOM}.tensor.balanced_factors", lambda d: (factors(d),), check_balanced_factors, each=[0])


def tensor_task(d):
    shape = (d.int(1, 3), *(d.int(1, 3) for _ in range(d.int(2, 4))))
    return d.tensor(*shape), d.mask(*shape)


case(f"{ROOM}.tensor.completion_loss", tensor_task)
case(
    f"{ROOM}.tensor.as_matrix",
    lambda d: tensor_task(d)[:1],
    lambda result, whole: within(result.numel() == whole.numel() and result.ndim == 3, 1, 1),
    each=[0],
    refuses=[lambda: ((RT.zeros(2, 3),), {})],
)
for name, shape in {
    "vector_norms": lambda parts: (len(parts[0]), len(parts), parts[0].shape[2]),
    "component_norms": lambda parts: (len(parts[0]), parts[0].shape[2]),
    "imbalance": lambda parts: (len(parts[0]), len(parts) - 1, parts[0].shape[2]),
}.items():
    case(
        f"{ROOM}.tensor_measure.{name}",
        lambda d: (factors(d),),
        lambda result, parts, shape=shape: shape_is(result, shape(parts)),
        each=[0],
    )


def with_gradients(d):
    parts = factors(d)
    return parts, tuple(d.tensor(*part.shape) for part in parts)


case(f"{ROOM}.tensor_measure.growth_projections", with_gradients, each=[0, 1])


def merged(d):
    parts = factors(d)
    return parts, d.int(1, parts[0].shape[2])


def check_merged(result, parts, count):
    shape_is(result, (len(parts[0]), count))
    assert (result.diff(dim=1) <= 1e-12).all()


case(f"{ROOM}.tensor_measure.merged_norms", merged, check_merged, each=[0])


def seen(d):
    parts = factors(d, orders=(2, 4))
    return parts, d.mask(len(parts[0]), *(part.shape[1] for part in parts))


case(f"{ROOM}.tensor_measure.observed_shares", seen, lambda result, *_: within(result, 0, 1), each=[0, 1])


def two_tensors(d):
    shape = (d.int(1, 3), *(d.int(1, 3) for _ in range(d.int(1, 4))))
    return d.tensor(*shape), d.tensor(*shape)


case(
    f"{ROOM}.tensor_measure.relative_error",
    two_tensors,
    lambda result, whole, _: shape_is(result, whole.shape[:1]),
    each=[0, 1],
)


def numpy_factors(d):
    components = d.int(1, 3)
    return ([d.normal(d.int(1, 4), components) for _ in range(d.int(2, 4))],)


case(
    f"{ROOM}.tensor_rank.khatri_rao",
    numpy_factors,
    lambda result, parts: shape_is(result, (math.prod(len(part) for part in parts), parts[0].shape[1])),
)
case(
    f"{ROOM}.tensor_rank.unfoldings",
    lambda d: d.normal(*(d.int(1, 4) for _ in range(d.int(2, 4)))),
    lambda result, whole: [shape_is(m, (n, whole.size // n)) for m, n in zip(result, whole.shape, strict=True)],
)


def low_rank_tensor(d):
    rank = d.int(1, 2)
    return sum(np.multiply.outer(np.multiply.outer(d.normal(3), d.normal(3)), d.normal(3)) for _ in range(rank)), rank


def fit_arguments(d):
    whole, rank = low_rank_tensor(d)
    return (whole, rank, d.numpy()), {"sweeps": 20}


case(
    f"{ROOM}.tensor_rank.fit_error",
    fit_arguments,
    lambda result, whole, *_, **__: within(result, 0, (whole**2).mean() * (1 + 1e-9)),
    examples=3,
)
case(
    f"{ROOM}.tensor_rank.tensor_rank",
    lambda d: ((low_rank_tensor(d)[0], [d.numpy(), d.numpy()]), {"sweeps": 100}),
    lambda result, *_, **__: within(result, 1, 9),
    examples=2,
)

# --- binary tensors ---------------------------------------------------------------------------------------------------


def ones_arguments(d):
    return (d.rt, d.generators(d.int(1, 3))), {"components": d.int(1, 3), "modes": d.int(1, 6), "std": 0.01}


def refused_ones(**changed):
    return lambda: ((RT, streams(1)), {"components": 2, "modes": 3, "std": 0.1} | changed)


case(
    f"{ROOM}.tensor_binary.ones_start",
    ones_arguments,
    lambda result, rt, generators, *, components, modes, std: shape_is(result, (len(generators), components, 2, modes)),
    each=[1],
    refuses=[refused_ones(components=0), refused_ones(modes=0), refused_ones(std=0.0)],
)


def binary(d):
    predictors, components, modes, count = d.int(1, 3), d.int(1, 3), d.int(1, 6), d.int(1, 5)
    inputs = d.rt.tensor(d.uniform(count, modes) < 0.5)
    return d.tensor(predictors, components, 2, modes), inputs, d.tensor(count, predictors)


def check_products(result, weights, inputs):
    chosen = torch.where(inputs[:, None, None] > 0, weights[None, :, :, 1], weights[None, :, :, 0])
    assert torch.allclose(result, chosen.prod(-1), rtol=1e-6, atol=1e-10)


case(
    f"{ROOM}.tensor_binary.products",
    lambda d: binary(d)[:2],
    check_products,
    refuses=[lambda: ((RT.zeros(1, 1, 2, 3) + 1, RT.zeros(4, 2)), {})],
)
case(
    f"{ROOM}.tensor_binary.predictions",
    lambda d: binary(d)[:2],
    lambda result, weights, inputs: shape_is(result, (len(inputs), len(weights))),
)
case(
    f"{ROOM}.tensor_binary.squared_error_gradient",
    binary,
    lambda result, weights, *_: shape_is(result[1], weights.shape),
)
case(
    f"{ROOM}.tensor_fit.mean_error",
    lambda d: (binary(d), {"cap": d.float(0.1, 5)}),
    lambda result, weights, *_, cap: within(result.numpy(), 0, cap),
    finite=True,
)


def hot(d):
    parts = factors(d, orders=(2, 3))
    return tuple(part.shape[1] for part in parts), parts


def check_hot(result, shape, parts):
    first = result[0] if isinstance(result, tuple | list) else result
    assert first.numel() > 0


case(f"{ROOM}.tensor_circuit.one_hot_inputs", hot, check_hot)

# --- trees ------------------------------------------------------------------------------------------------------------


case(
    f"{ROOM}.hierarchical.mode_tree",
    lambda d: (d.one((0, 1), (0, 1, 2), ((0, 1), (2, 3)), ((0, 1, 2), 3)),),
    lambda result, nested: within(result.order, 2, 4),
    refuses=[
        lambda nested=nested: ((nested,), {}) for nested in ((1, 0), (0,), ((0,), 1), (0, 2), (0, 0), ((0, 1), 3))
    ],
)


def shapes_arguments(d):
    tree, weights, shape, width = tree_weights(d)
    return tree, shape, width


case(
    f"{ROOM}.hierarchical.weight_shapes",
    shapes_arguments,
    refuses=[
        lambda: ((hierarchical.mode_tree((0, 1)), (2,), 2), {}),
        lambda: ((hierarchical.mode_tree((0, 1)), (2, 0), 2), {}),
        lambda: ((hierarchical.mode_tree((0, 1)), (2, 2), 0), {}),
    ],
)


def tree_start(d):
    tree, _, shape, width = tree_weights(d)
    return (d.rt, d.generators(d.int(1, 3))), {"tree": tree, "shape": shape, "width": width, "std": 0.1}


def refused_tree(**changed):
    options = {"tree": hierarchical.mode_tree((0, 1)), "shape": (2, 2), "width": 2, "std": 0.1}
    return lambda: ((RT, streams(1)), options | changed)


case(
    f"{ROOM}.hierarchical.gaussian_weights",
    tree_start,
    each=[1],
    refuses=[refused_tree(std=0.0), refused_tree(width=0), refused_tree(shape=(2,))],
)


def check_balanced_tree(result, tree, weights):
    assert [w.shape for w in result] == [w.shape for w in weights]
    for position, node in enumerate(tree.nodes):
        if node.children:
            vectors = torch.stack([v.norm(dim=1) for v in hierarchical.local_vectors(tree, result, position)])
            assert torch.allclose(vectors, vectors[:1].expand_as(vectors), rtol=1e-6)


case(f"{ROOM}.hierarchical.balanced_weights", lambda d: tree_weights(d)[:2], check_balanced_tree, each=[1])
case(
    f"{ROOM}.hierarchical.end_tensor",
    lambda d: tree_weights(d)[:2],
    lambda result, tree, weights: within(result.ndim == tree.order + 1 and len(result) == len(weights[0]), 1, 1),
    each=[1],
    refuses=[lambda: ((hierarchical.mode_tree((0, 1)), (RT.zeros(1, 2, 2),)), {})],
)
case(
    f"{ROOM}.hierarchical.local_vectors",
    lambda d: (lambda tree, weights, *_: (tree, weights, len(tree.nodes) - 1))(*tree_weights(d)),
    lambda result, tree, weights, position: within(len(result), tree.nodes[position].local_axes, 9),
    each=[1],
    refuses=[
        lambda: (
            (hierarchical.mode_tree((0, 1)), (RT.zeros(1, 2, 2), RT.zeros(1, 2, 2), RT.zeros(1, 2, 1)), 0),
            {},
        )
    ],
)


def split(d):
    order = d.int(2, 4)
    axes = tuple(axis for axis in range(order) if d.one(True, False))
    axes = axes if 0 < len(axes) < order else (d.int(0, order - 1),)
    return d.tensor(d.int(1, 3), *(d.int(1, 3) for _ in range(order))), axes


REFUSED_SPLITS = [lambda axes=axes: ((RT.zeros(1, 2, 2), axes), {}) for axes in ((), (0, 1), (0, 0), (2,))]
case(
    f"{ROOM}.hierarchical_measure.matricization",
    split,
    lambda result, whole, axes: within(result.numel(), whole.numel(), whole.numel()),
    each=[0],
    refuses=REFUSED_SPLITS,
)


def check_split(result, whole, axes):
    assert torch.allclose(result.square().sum(1), whole.flatten(1).square().sum(1)) and (result.diff() <= 1e-12).all()


case(f"{ROOM}.hierarchical_measure.split_values", split, check_split, each=[0], refuses=REFUSED_SPLITS)
case(
    f"{ROOM}.hierarchical_measure.counted",
    lambda d: ((d.tensor(d.int(1, 3), d.int(1, 5), low=0.0),), {"share": d.float(0, 0.9)}),
    lambda result, values, *, share: within(result.numpy(), 0, values.shape[-1]),
    each=[0],
)
case(
    f"{ROOM}.hierarchical_incremental.count_learned",
    lambda d: d.uniform(d.int(1, 6)),
    lambda result, final: within(result, 1, len(final)),
)
case(
    f"{ROOM}.hierarchical_incremental.mean_overlap",
    curves,
    lambda result, *_: within(result, 0, 1),
)
case(
    f"{ROOM}.hierarchical_wide.split_values",
    lambda d: d.normal(*[d.int(2, 3)] * 4),
    lambda result, whole: shape_is(result, (3, whole.shape[0] ** 2)),
)
case(
    f"{ROOM}.hierarchical_wide.tail",
    lambda d: (-np.sort(-d.uniform(d.int(1, 3), 5, low=0.1)), d.int(1, 4)),
    lambda result, *_: within(result, 0, 1),
    each=[0],
)

# --- norms ------------------------------------------------------------------------------------------------------------


def check_sign(result, rt, generators, *, std, sign):
    assert torch.equal(torch.linalg.det(result).sign(), torch.full_like(result[:, 0, 0], sign))


REFUSED_SIGN = [
    lambda changed=changed: ((RT, streams(2)), {"std": 0.1, "sign": 1} | changed)
    for changed in ({"std": 0.0}, {"std": -1.0}, {"sign": 0}, {"sign": 2})
]
case(
    f"{ROOM}.norms.gaussian_products",
    lambda d: ((d.rt, d.generators(d.int(1, 3))), {"std": d.float(0.01, 2), "sign": d.one(1, -1)}),
    check_sign,
    each=[1],
    refuses=REFUSED_SIGN,
)
case(
    f"{ROOM}.norms.unbalanced_layers",
    lambda d: (
        (d.rt, d.generators(d.int(1, 3))),
        {"depth": d.int(1, 4), "std": d.float(0.01, 2), "sign": d.one(1, -1)},
    ),
    lambda result, rt, generators, *, depth, std, sign: within(
        (torch.linalg.det(matrix.end_to_end(result)).sign() == sign).numpy(), 1, 1
    ),
    each=[1],
    refuses=[lambda f=f: (f()[0], f()[1] | {"depth": 2}) for f in REFUSED_SIGN],
)
case(
    f"{ROOM}.norms.determinant",
    lambda d: d.tensor(d.int(1, 3), d.int(1, 3), 2, 2),
    lambda result, product: within(torch.allclose(result, torch.linalg.det(product), atol=1e-12), 1, 1),
    each=[0],
)
case(
    f"{ROOM}.norms_coordinates.from_product",
    lambda d: d.normal(2, 2),
    refuses=[lambda: ((np.ones((2, 2)),), {})],
)
case(
    f"{ROOM}.norms_coordinates.to_product",
    lambda d: (d.normal(d.int(1, 3), 4), d.one(1, -1)),
    lambda result, states, sign: within(np.sign(np.linalg.det(result)), sign, sign),
    each=[0],
)
case(
    f"{ROOM}.norms_measure.schatten",
    lambda d: (d.normal(d.int(1, 3), d.int(1, 4)), d.one(0.5, 1.0, 2.0, math.inf)),
    lambda result, logs, power: within(result >= np.exp(logs.max(-1)) * (1 - 1e-12), 1, 1),
    each=[0],
    refuses=[lambda power=power: ((np.zeros((1, 2)), power), {}) for power in (0.0, -1.0)],
)
case(
    f"{ROOM}.norms_measure.effective_rank",
    lambda d: d.normal(d.int(1, 3), d.int(1, 4)),
    lambda result, logs: within(result, 1, logs.shape[-1]),
    each=[0],
)


def falling(d):
    times, replicas = d.int(2, 7), d.int(1, 3)
    return np.exp(-np.cumsum(d.uniform(times, replicas, low=0.1), 0)), d.normal(times, replicas), d.float(0.05, 0.9)


case(
    f"{ROOM}.norms_measure.at_loss",
    falling,
    lambda result, loss, *_: shape_is(result, loss.shape[1:]),
    finite=False,
)
case(
    f"{ROOM}.norms_measure.slope",
    lambda d: (lambda x: (x, 2 - 3 * x))(d.rising(d.int(2, 6), 0, 4)),
    lambda result, *_: within(result, -3 - 1e-9, -3 + 1e-9),
)


def losses(d):
    return d.uniform(d.int(1, 6), low=1e-6, high=0.12)


for name in ("entry_curve", "entry_lower_bound"):
    case(
        f"{ROOM}.norms_theory.{name}",
        lambda d: ((losses(d),), {"right": d.float(0.5, 2), "below": d.float(0.5, 2)}),
        lambda result, loss, **_: within(result, 0, math.inf),
        each=[0],
    )
for name in ("distance_bound", "sharp_distance_bound", "effective_rank_bound", "sharp_effective_rank_bound"):
    case(
        f"{ROOM}.norms_theory.{name}",
        losses,
        lambda result, loss: shape_is(result, loss.shape),
        each=[0],
    )
case(f"{ROOM}.norms_laws.rank_bounds", losses, lambda result, loss: [shape_is(v, loss.shape) for v in result.values()])
case(
    f"{ROOM}.norms_theory.entry_time",
    lambda d: ((d.uniform(d.int(1, 5), low=1, high=9),), {"depth": d.int(1, 5)}),
    lambda result, entry, **_: within(result, 0, math.inf),
    each=[0],
)
case(
    f"{ROOM}.norms_theory.spiked_nuclear_minimizer",
    lambda d: ((), {"spike": 2.0, "flat": d.uniform(3, low=-1, high=1)}),
    lambda result, *, spike, flat: within(result, flat @ flat - 1e-12, flat @ flat + 1e-12),
    refuses=[lambda: ((), {"spike": 1.0, "flat": np.ones(3)})],
)


def underdetermined(d):
    count = d.int(1, 3)
    return d.normal(count, count + d.int(1, 3)), d.normal(count)


case(
    f"{ROOM}.norms_theory.least_norm_solution",
    underdetermined,
    lambda result, features, labels: within(np.abs(features @ result - labels).max(), 0, 1e-8),
)


def observing(d):
    shape = tuple(d.int(1, 3) for _ in range(d.int(2, 4)))
    size = math.prod(shape)
    return d.tensor(*shape), d.rt.permutation(d.generator(), size), d.int(1, size)


case(f"{ROOM}.norms_tensor.observe", observing, lambda result, whole, order, count: within(count, 1, whole.numel()))

# --- nuclear norm and penalties ---------------------------------------------------------------------------------------


case(
    f"{ROOM}.nuclear_norm.minimize_nuclear_norm",
    lambda d: (completion(d, sizes=(2, 3)), {"tolerance": 1e-3, "iterations": 400}),
    lambda result, target, mask, **_: within(isinstance(result, nuclear_norm.NuclearNormSolution), 1, 1),
    examples=3,
)


def penalized(d):
    target, mask = completion(d)
    return target, mask, None, d.tensor(len(target), low=0.0), [1.0]


case(
    f"{ROOM}.penalties.penalized_loss",
    penalized,
    refuses=[
        lambda: ((RT.zeros(1, 2, 2), RT.zeros(1, 2, 2) + 1, None, RT.zeros(1) - 1, [1.0]), {}),
        lambda: ((RT.zeros(1, 2, 2), RT.zeros(1, 2, 2), None, RT.zeros(1), [1.0]), {}),
    ],
)
case(
    f"{ROOM}.penalties_measure.effective_rank",
    matrices,
    lambda result, m: within(result, 1 - 1e-9, min(m.shape[1:]) + 1e-9),
    each=[0],
)
case(
    f"{ROOM}.penalties_measure.ratio",
    matrices,
    lambda result, m: within(result, 1 - 1e-9, math.sqrt(min(m.shape[1:])) + 1e-9),
    each=[0],
)


def scored(d):
    target, mask = completion(d)
    mask = mask.clone()
    mask[:, -1, -1] = 0
    return target + d.tensor(*target.shape), target, mask


case(f"{ROOM}.penalties_measure.scores", scored, each=[0, 1, 2])


def thresholded(d):
    m = matrices(d)
    return m, d.tensor(len(m), low=0.1)


def check_threshold(result, m, tau):
    expected = (singular(m) - tau[:, None]).clamp(min=0)
    assert torch.allclose(result[1].sort(descending=True).values, expected, atol=1e-6)
    assert torch.allclose(singular(result[0]), expected, atol=1e-6)


case(f"{ROOM}.penalties_proximal.soft_threshold", thresholded, check_threshold, each=[0, 1], loose=1e-6)
case(
    f"{ROOM}.penalties_proximal.soft_impute",
    lambda d: ((*completion(d, sizes=(2, 4)), [0.5, 0.2]), {"tolerance": 1e-3, "iterations": 50}),
    examples=3,
)
case(
    f"{ROOM}.penalties_proximal.proximal_ratio",
    lambda d: (lambda target, mask: (target, mask, target + 0.1, 0.01, 20))(*completion(d, sizes=(2, 4))),
    lambda result, target, *_: shape_is(result, target.shape),
    examples=3,
)
case(
    f"{ROOM}.penalties_proximal.duality_gap",
    lambda d: (lambda target, mask: (mask * target, mask, target / 2, 0.1))(*completion(d)),
    lambda result, seen, *_: within(result.numpy(), -1e-9, math.inf),
)


def ratings(d):
    users, items, count = d.int(1, 4), d.int(1, 4), d.int(1, 9)
    draws = d.numpy()
    rows = np.stack([draws.integers(0, users, count), draws.integers(0, items, count), draws.integers(1, 6, count)], 1)
    return rows.astype(float), (users, items), d.float(0.5, 5)


case(f"{ROOM}.penalties_ratings.biases", ratings, lambda result, rows, shape, damping: shape_is(result, shape))
case(
    f"{ROOM}.penalties_theory.slopes",
    lambda d: ((d.uniform(d.int(1, 4), low=0.5), d.one(0.5, 1.0)), {"normalized": d.one(True, False), "scale": 1.0}),
    lambda result, values, *_, **__: shape_is(result[0], values.shape),
    finite=False,
)


def local(d):
    size = d.int(2, 4)
    u, v = d.normal(size, 1), d.normal(1, size)
    mask = np.ones((size, size))
    mask[-1, -1] = 0
    return u @ v, mask, 1, 1.0


case(f"{ROOM}.penalties_theory.local_theory", local, finite=False)
