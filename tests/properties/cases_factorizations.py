"""Properties of the factorizations: matrices, tensors, trees, norms, penalties."""

import math
from itertools import accumulate

import numpy as np
import torch
from properties import Draw, agree, case, within

from offconvex import rng, runtime
from offconvex.factorizations import measure, tasks, theory
from offconvex.factorizations.hierarchical import measure as split_measure
from offconvex.factorizations.hierarchical import model as hierarchical
from offconvex.factorizations.hierarchical import wide
from offconvex.factorizations.matrix import measure as matrix_measure
from offconvex.factorizations.matrix import model as matrix
from offconvex.factorizations.matrix import nuclear_norm
from offconvex.factorizations.norms import coordinates, laws, task
from offconvex.factorizations.norms import measure as norms_measure
from offconvex.factorizations.norms import tensor as norms_tensor
from offconvex.factorizations.norms import theory as norms_theory
from offconvex.factorizations.penalties import measure as penalties_measure
from offconvex.factorizations.penalties import proximal
from offconvex.factorizations.tensor import binary, circuit, fit
from offconvex.factorizations.tensor import measure as tensor_measure
from offconvex.factorizations.tensor import model as tensor

RT = runtime.Runtime(torch.device("cpu"), torch.float64)
BAD_STD = {"std": [0.0, -1.0]}


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


def pair(d):
    shape = d.int(1, 3), d.int(1, 5), d.int(1, 5)
    return d.tensor(*shape), d.tensor(*shape)


def norm(x):
    return x.flatten(1).norm(dim=1)


def outer(parts):
    """Sum over components of the outer products of vectors (R, n, components)."""
    letters = "abcdefg"[: len(parts)]
    return torch.einsum(",".join(f"z{letter}r" for letter in letters) + f"->z{letters}", *parts)


# --- matrices ---------------------------------------------------------------------------------------------------------


def low_rank(d):
    size = d.int(1, 8)
    return (d.rt, d.generator()), {"size": size, "rank": d.int(1, size)}


case(
    tasks.low_rank_matrix,
    low_rank,
    lambda r, *_, size, rank: agree(r.norm(), size) and int((torch.linalg.svdvals(r) > 1e-9 * size).sum()) == rank,
    refuses={"rank": [0, -1, 9]},
)


def mask_arguments(d):
    shape = tuple(d.int(1, 4) for _ in range(d.int(1, 4)))
    return (d.rt, d.generator()), {"shape": shape, "observed": d.int(1, math.prod(shape))}


case(
    tasks.uniform_mask,
    mask_arguments,
    lambda r, *_, shape, observed: r.shape == shape and set(r.unique().tolist()) <= {0.0, 1.0} and r.sum() == observed,
    refuses={"observed": [0, -1, 999]},
)
case(
    matrix.end_to_end,
    lambda d: (layers(d, square=False),),
    lambda r, stack: agree(r, [*accumulate(stack, lambda below, above: above @ below)][-1]),
)


def gaussian(d):
    options = {"depth": d.int(1, 4), "size": d.int(1, 5), "std": d.float(1e-3, 10)}
    return (d.rt, d.generators(d.int(1, 4))), options


def check_layers(result, rt, generators, *, depth, size, std):
    assert len(result) == depth
    return within(torch.stack(result).abs() / std, 0, 6) and result[0].std(correction=0) > 0.1 * std or size == 1


case(matrix.gaussian_layers, gaussian, check_layers, refuses={"depth": [0], "size": [0], **BAD_STD})
case(
    matrix.identity_layers,
    lambda d: (
        (d.rt,),
        {"depth": d.int(1, 4), "size": d.int(1, 5), "replicas": d.int(1, 3), "scale": d.float(1e-3, 10)},
    ),
    lambda r, rt, *, depth, size, replicas, scale: (
        len(r) == depth and agree(matrix.end_to_end(r), scale * rt.eye(size).expand(replicas, -1, -1))
    ),
    refuses={"depth": [0], "size": [0], "scale": [0.0]},
)


def check_balanced(result, product, *, depth):
    scale = float(product.abs().max()) + 1e-12
    assert len(result) == depth
    assert float((matrix.end_to_end(result) - product).abs().max()) <= 1e-8 * scale
    for below, above in zip(result, result[1:]):
        assert float((above.mT @ above - below @ below.mT).abs().max()) <= 1e-8 * scale ** (2 / depth)


case(
    matrix.balanced_layers,
    lambda d: ((matrices(d, square=True),), {"depth": d.int(1, 4)}),
    check_balanced,
    refuses={"product": [RT.zeros(1, 2, 3)], "depth": [0]},
)


def check_loss(weight):
    """An end loss sum w (x - target)^2 and its gradient, with `weight` the w of a mask."""

    def check(result, target, mask):
        product, gradient = target + 0.5, torch.empty_like(target)
        value, w = result(product.clone(), gradient), weight(mask).expand_as(target)
        return agree(value, 0.25 * w.flatten(1).sum(1)) and agree(gradient, w)

    return check


def shared_mask(mask):
    return mask / mask.flatten(1).sum(1).reshape(-1, *[1] * (mask.ndim - 1))


ALL_ZERO = {"mask: replica|observed|entry": [torch.zeros_like]}
case(
    matrix.squared_loss,
    completion,
    check_loss(lambda w: w / 2),
    refuses={"weights": [lambda w: w[..., 1:], lambda w: w - 2]},
)
case(matrix.completion_loss, completion, check_loss(shared_mask), refuses=ALL_ZERO)


def check_matrix_objective(result, end_loss):
    """Gradients by hand are those of automatic differentiation of the loss, which is the end matrix's own."""
    stack = tuple(0.3 * RT.normal(rng.generator(5, "layers", j), 1, 3, 3) for j in range(3))
    value, gradients = result(stack)
    leaves = tuple(layer.clone().requires_grad_() for layer in stack)
    product = matrix.end_to_end(leaves)
    gradient = torch.empty_like(product)
    assert torch.allclose(value, end_loss(product.detach().clone(), gradient))
    expected = torch.autograd.grad((product * gradient).sum(), leaves)
    return all(torch.allclose(ours, theirs) for ours, theirs in zip(gradients, expected))


case(
    matrix.end_gradient,
    lambda d: (lambda target, mask: (matrix.completion_loss(target, mask), target + mask))(*completion(d)),
    lambda r, loss, product: agree((r * r.sign()).flatten(1).sum(1), 2.0 + 0 * r[:, 0, 0]),
    each=(),  # the loss holds a target for each replica
)
case(
    matrix.matrix_objective,
    lambda d: matrix.completion_loss(*completion(d, replicas=(1, 1), sizes=(3, 3))),
    check_matrix_objective,
)
case(measure.relative_error, pair, lambda r, x, target: agree(r * norm(target), norm(x - target)))


case(matrix_measure.growth_projections, lambda d: (*pair(d), 1), loose=1e-6)
case(
    matrix_measure.layer_gaps,
    lambda d: (layers(d, low=2),),
    lambda r, stack: agree(r[:, 0], stack[1].mT @ stack[1] - stack[0] @ stack[0].mT),
    refuses={"layers": [lambda stack: stack[:1]]},
)
case(
    nuclear_norm.minimize_nuclear_norm,
    lambda d: (completion(d, sizes=(2, 3)), {"tolerance": 1e-3, "iterations": 400}),
    # What is observed is kept, and no other completion that was tried has a smaller norm.
    lambda r, target, mask, **_: (
        agree(mask * r.product, mask * target, 1e-2)
        and bool((torch.linalg.matrix_norm(r.product, "nuc") <= torch.linalg.matrix_norm(target, "nuc") * 1.01).all())
    ),
    examples=3,
)

# --- curves -----------------------------------------------------------------------------------------------------------


# --- closed forms -----------------------------------------------------------------------------------------------------


def quadratic(d):
    target = d.float(0.5, 3)
    options = {"initial": target * d.float(0.01, 0.9), "target": target, "curvature": d.float(0.2, 2)}
    return (np.linspace(0, d.float(0.1, 5), 60),), options | {"depth": d.int(1, 4)}


def check_quadratic(result, times, *, initial, target, curvature, depth):
    assert math.isclose(result[0], initial, rel_tol=1e-6)
    # The midpoints' velocities add up to the way.
    middle = theory.aligned_quadratic(
        (times[1:] + times[:-1]) / 2, initial=initial, target=target, curvature=curvature, depth=depth
    )
    velocity = theory.growth_rate(middle, curvature * (target - middle), depth=depth)
    assert abs((np.diff(times) * velocity).sum() - (result[-1] - initial)) <= 1e-2 * target


case(
    theory.aligned_quadratic,
    quadratic,
    check_quadratic,
    each=["times"],
    loose=1e-6,
    refuses={"depth": [5, 0], "initial: start": [9.0, 0.0]},
    examples=10,
)
case(
    theory.escape_time,
    lambda d: (
        (d.uniform(3, low=1e-9, high=1e-8),),
        {"target": d.float(1, 2), "curvature": d.float(1, 2), "depth": d.int(2, 4)},
    ),
    lambda r, start, *, target, curvature, depth: (
        all(
            theory.aligned_quadratic(r[:1] * x, initial=start[0], target=target, curvature=curvature, depth=depth)
            < 0.5 * target
            for x in (0.9, 0.5)
        )
        and theory.aligned_quadratic(r[:1] * 1.1, initial=start[0], target=target, curvature=curvature, depth=depth)
        > 0.5 * target
    ),
    each=["initial"],
    refuses={"depth": [1]},
)


# --- tensors ----------------------------------------------------------------------------------------------------------


def columns(d):
    batch, components = d.int(1, 3), d.int(1, 4)
    return d.tensor(batch, d.int(1, 4), components), d.tensor(batch, d.int(1, 4), components)


case(tensor.khatri_rao, columns, lambda r, *pair: agree(r.sum(-1).flatten(1), outer(pair).flatten(1)))
case(tensor.split_order, lambda d: d.int(2, 9), lambda r, order: order - 1 >= r >= 1)
case(
    tensor.end_tensor,
    lambda d: (factors(d),),
    lambda r, parts: agree(r, outer(parts)),
    each=["factors"],
    refuses={"factors": [lambda p: p[:1], lambda p: (p[0], p[1][..., :0]), lambda p: (p[0], p[1].repeat(2, 1, 1))]},
)
case(
    tensor.gaussian_factors,
    lambda d: (
        (d.rt, d.generators(d.int(1, 3))),
        {"shape": tuple(d.int(1, 4) for _ in range(d.int(2, 5))), "components": d.int(1, 4), "std": d.float(1e-3, 2)},
    ),
    lambda r, rt, generators, *, shape, components, std: (
        [*map(tuple, (p.shape for p in r))] == [(len(generators), size, components) for size in shape]
        and all(within(p.abs() / std, 0, 6) for p in r)
    ),
    refuses={"shape: axes": [(3,), (3, 0)], "components": [0], **BAD_STD},
)


def check_balanced_factors(result, parts):
    norms = tensor_measure.vector_norms(result)
    return agree(outer(result), outer(parts), 1e-8) and agree(norms, norms[:, :1].expand_as(norms), 1e-6)


case(tensor.balanced_factors, lambda d: (factors(d),), check_balanced_factors)


def tensor_task(d):
    shape = (d.int(1, 3), *(d.int(1, 3) for _ in range(d.int(2, 4))))
    return d.tensor(*shape), d.mask(*shape)


def check_tensor_loss(result, target, mask):
    view, gradient = tensor.as_matrix(target), tensor.as_matrix(torch.empty_like(target))
    value = result(view + 0.5, gradient)
    share = tensor.as_matrix(shared_mask(mask))
    return agree(value, 0.25 + 0 * value) and agree(gradient, share)


case(tensor.completion_loss, tensor_task, check_tensor_loss, refuses=ALL_ZERO)
case(
    tensor.as_matrix,
    lambda d: tensor_task(d)[:1],
    lambda r, whole: r.ndim == 3 and agree(r.flatten(1), whole.flatten(1)) and r.shape[1] > 0,
    refuses={"tensor": [RT.zeros(2, 3)]},
)
case(
    tensor_measure.vector_norms,
    lambda d: (factors(d),),
    lambda r, parts: agree(r, torch.stack([p.norm(dim=1) for p in parts], 1)),
)
case(
    tensor_measure.component_norms,
    lambda d: (factors(d),),
    lambda r, parts: agree(r[:, 0], norm(outer([p[..., :1] for p in parts]))),
)


case(tensor_measure.imbalance, lambda d: (factors(d),))


def with_gradients(d):
    parts = factors(d)
    return parts, tuple(d.tensor(*part.shape) for part in parts)


case(
    tensor_measure.growth_projections,
    with_gradients,
    lambda r, parts, gradients: all(
        agree(r["norms"], tensor_measure.component_norms(parts))
        and agree(r["projections"] * r["norms"], -(p * g).sum(1), 1e-6)
        for p, g in [*zip(parts, gradients)][:1]
    ),
)


case(
    tensor_measure.merged_norms, lambda d: (lambda parts: (parts, d.int(1, parts[0].shape[2])))(factors(d)), examples=10
)


case(
    tensor_measure.observed_shares,
    lambda d: (lambda p: (p, d.mask(len(p[0]), *(x.shape[1] for x in p))))(factors(d, orders=(2, 4))),
)


case(
    binary.ones_start,
    lambda d: ((d.rt, d.generators(d.int(1, 3))), {"components": d.int(1, 3), "modes": d.int(1, 6), "std": 0.01}),
    lambda r, *_, std, **__: within((r - 1).abs(), 0, 6 * std) and not agree(r, torch.ones_like(r)),
    each=["generators"],
    refuses={"components": [0], "modes": [0], "std": [0.0]},
)


def digits(d):
    predictors, components, modes, count = d.int(1, 3), d.int(1, 3), d.int(1, 6), d.int(1, 5)
    inputs = d.rt.tensor(d.uniform(count, modes) < 0.5)
    return d.tensor(predictors, components, 2, modes), inputs, d.tensor(count, predictors)


def chosen(weights, inputs):
    return torch.where(inputs[:, None, None] > 0, weights[None, :, :, 1], weights[None, :, :, 0]).prod(-1)


case(
    binary.products,
    lambda d: digits(d)[:2],
    lambda r, *given: torch.allclose(r, chosen(*given), rtol=1e-6, atol=1e-10),
    refuses={"inputs": [RT.zeros(4, 9)]},
)
case(
    binary.predictions,
    lambda d: digits(d)[:2],
    lambda r, *given: torch.allclose(r, chosen(*given).sum(-1), rtol=1e-6, atol=1e-10),
)


case(binary.squared_error_gradient, digits)
case(
    fit.mean_error,
    lambda d: (digits(d), {"cap": d.float(0.1, 5)}),
    lambda r, weights, inputs, targets, *, cap: agree(
        r, (binary.predictions(weights, inputs) - targets).square().clamp(max=cap).mean(0), 1e-6
    ),
)
case(
    circuit.one_hot_inputs,
    lambda d: (lambda p: ((p[0].shape[1],) * len(p), p))(factors(d, orders=(2, 3))),
    lambda r, shape, parts: r.flatten(1).sum().item() == len(r) * len(shape) and r.unique(dim=0).shape == r.shape,
)

# --- trees ------------------------------------------------------------------------------------------------------------

case(
    hierarchical.mode_tree,
    lambda d: (d.one((0, 1), (0, 1, 2), ((0, 1), (2, 3)), ((0, 1, 2), 3)),),
    lambda r, nested: r.order == str(nested).count(",") + 1 - str(nested).count(",)"),
    refuses={"nested: axes|node": [(1, 0), (0,), ((0,), 1), (0, 2), (0, 0), ((0, 1), 3)]},
)


case(
    hierarchical.weight_shapes,
    lambda d: (lambda tree, weights, shape, width: (tree, shape, width))(*tree_weights(d)),
    lambda r, tree, shape, width: [row for row, _ in r][: 1 or None] != [] and {c for _, c in r} <= {width, 1},
    refuses={"shape: length": [(2,), (2, 0)], "width": [0]},
)


def tree_start(d):
    tree, _, shape, width = tree_weights(d)
    return (d.rt, d.generators(d.int(1, 3))), {"tree": tree, "shape": shape, "width": width, "std": 0.1}


case(
    hierarchical.gaussian_weights,
    tree_start,
    lambda r, *_, tree, shape, width, std: (
        [tuple(w.shape[1:]) for w in r] == hierarchical.weight_shapes(tree, shape, width)
        and all(within(w.abs(), 0, 6 * std) for w in r)
    ),
    each=["generators"],
    refuses={"width": [0], "shape: length": [(2,)], **BAD_STD},
)


def check_balanced_tree(result, tree, weights):
    assert [w.shape for w in result] == [w.shape for w in weights]
    for position, node in enumerate(tree.nodes):
        if node.children:
            vectors = torch.stack([v.norm(dim=1) for v in hierarchical.local_vectors(tree, result, position)])
            assert torch.allclose(vectors, vectors[:1].expand_as(vectors), rtol=1e-6)


def tree_tensor(tree, weights):
    """The end tensor by its definition, node by node."""
    made = {}
    for position, node in enumerate(tree.nodes):
        below = [made[child] for child in node.children]
        letters = iter("abcdefghij")
        inside = ["".join(next(letters) for _ in range(x.ndim - 2)) for x in below]
        if not below:
            made[position] = weights[position]
            continue
        formula = ",".join(f"z{axes}r" for axes in inside) + ",zrs->z" + "".join(inside) + "s"
        made[position] = torch.einsum(formula, *below, weights[position])
    return made[len(tree.nodes) - 1][..., 0]


case(hierarchical.balanced_weights, lambda d: tree_weights(d)[:2], check_balanced_tree, each=["weights"])
case(
    hierarchical.end_tensor,
    lambda d: tree_weights(d)[:2],
    lambda r, *given: torch.allclose(r, tree_tensor(*given)),
    each=["weights"],
    refuses={"weights: matrices": [lambda w: w[:1]]},
)
case(
    hierarchical.local_vectors,
    lambda d: (lambda tree, weights, *_: (tree, weights, len(tree.nodes) - 1))(*tree_weights(d)),
    lambda r, tree, weights, position: len(r) == tree.nodes[position].local_axes,
    each=["matrices"],
    refuses={"position: node": [0]},
)


def split(d):
    order = d.int(2, 4)
    axes = tuple(axis for axis in range(order) if d.one(True, False))
    axes = axes if 0 < len(axes) < order else (d.int(0, order - 1),)
    return d.tensor(d.int(1, 3), *(d.int(1, 3) for _ in range(order))), axes


def rows_first(whole, axes):
    rest = [axis for axis in range(whole.ndim - 1) if axis not in axes]
    moved = whole.permute(0, *(axis + 1 for axis in (*axes, *rest)))
    return moved.reshape(len(whole), math.prod(whole.shape[axis + 1] for axis in axes), -1)


REFUSED_SPLITS = {"axes": [(), (0, 1, 2, 3), (0, 0), (4,)]}
case(
    split_measure.matricization, split, lambda r, whole, axes: agree(r, rows_first(whole, axes)), refuses=REFUSED_SPLITS
)
case(
    split_measure.split_values,
    split,
    lambda r, whole, axes: agree(r, torch.linalg.svdvals(rows_first(whole, axes)), 1e-6),
    refuses=REFUSED_SPLITS,
)
case(
    wide.tail,
    lambda d: (-np.sort(-d.uniform(d.int(1, 3), 5, low=0.1)), d.int(1, 4)),
    lambda r, x, rank: agree(r, np.sqrt((x[:, rank:] ** 2).sum(1) / (x**2).sum(1))),
    each=["values"],
)

# --- norms ------------------------------------------------------------------------------------------------------------


def signed(d):
    return (d.rt, d.generators(d.int(1, 3))), {"std": d.float(0.01, 2), "sign": d.one(1, -1)}


def right_sign(product, sign):
    return bool((torch.linalg.det(product).sign() == sign).all())


SIGNS = {"sign": [0, 2], **BAD_STD}
case(
    task.gaussian_products,
    signed,
    lambda r, *_, std, sign: right_sign(r, sign) and within(r.abs() / std, 0, 6),
    each=["generators"],
    refuses=SIGNS,
)
case(
    task.unbalanced_layers,
    lambda d: (lambda given: (given[0], given[1] | {"depth": d.int(1, 4)}))(signed(d)),
    lambda r, *_, depth, sign, std: len(r) == depth and right_sign(matrix.end_to_end(r), sign),
    refuses=SIGNS,
)
case(
    task.determinant,
    lambda d: d.tensor(d.int(1, 3), d.int(1, 3), 2, 2),
    lambda r, x: torch.allclose(r, torch.linalg.det(x), atol=1e-12),
    each=["product"],
)
case(
    coordinates.from_product,
    lambda d: d.normal(2, 2),
    lambda r, x: agree(coordinates.to_product(r[0][None], r[1])[0], x, 1e-6),
    refuses={"product: matrix": [np.ones((2, 2))]},
)


case(
    norms_measure.schatten,
    lambda d: (d.normal(d.int(1, 3), d.int(1, 4)), d.one(0.5, 1.0, 2.0, math.inf)),
    each=["log_values"],
    refuses={"power": [0.0, -1.0]},
    examples=10,
)


def entropy_rank(values):
    share = values / values.sum(-1, keepdims=True)
    return np.exp(-(share * np.log(share)).sum(-1))


def losses(d):
    return d.uniform(d.int(1, 6), low=1e-6, high=0.12)


case(
    laws.rank_bounds,
    losses,
    lambda r, loss: sum(agree(v, norms_theory.sharp_distance_bound(loss)) for v in r.values()) == 1,
)
case(
    norms_theory.spiked_nuclear_minimizer,
    lambda d: ((), {"spike": 2.0, "flat": d.uniform(3, low=-1, high=1)}),
    lambda r, *, spike, flat: agree(r, flat @ flat),
    refuses={"spike": [1.0]},
)


def observing(d):
    shape = tuple(d.int(1, 3) for _ in range(d.int(2, 4)))
    return d.tensor(*shape), d.rt.permutation(d.generator(), math.prod(shape)), d.int(1, math.prod(shape))


case(norms_tensor.observe, observing)

# --- penalties --------------------------------------------------------------------------------------------------------

case(
    penalties_measure.effective_rank,
    matrices,
    lambda r, m: agree(r, entropy_rank(torch.linalg.svdvals(m).numpy()), 1e-6),
)
case(penalties_measure.ratio, matrices, lambda r, m: agree(r, torch.linalg.matrix_norm(m, "nuc") / norm(m), 1e-6))


def scored(d):
    target, mask = completion(d)
    mask[:, -1, -1] = 0
    return target + d.tensor(*target.shape), target, mask


def check_scores(result, product, target, mask):
    unseen = ((1 - mask) * (product - target)).flatten(1)
    mean = unseen.square().sum(1) / (1 - mask).flatten(1).sum(1)
    return any(
        agree(v, mean)
        or agree(v, mean.sqrt())
        or agree(v, norm((1 - mask) * (product - target)) / norm((1 - mask) * target))
        for v in result.values()
    )


case(penalties_measure.scores, scored, check_scores)


case(
    proximal.soft_threshold,
    lambda d: (lambda m: (m, d.tensor(len(m), low=0.1)))(matrices(d)),
    each=["matrix", "tau"],
    loose=1e-6,
)


case(
    proximal.duality_gap,
    lambda d: (lambda target, mask: (mask * target, mask, target / 2, 0.1))(*completion(d)),
    examples=3,
)
case(
    proximal.proximal_ratio,
    lambda d: (lambda target, mask: (target, mask, target + 0.1, 0.01, 20))(*completion(d, sizes=(2, 4))),
    lambda r, target, mask, start, *_: bool((norm(mask * (r - target)) <= norm(mask * (start - target)) + 0.1).all()),
    examples=3,
)
