"""The book's loops at tiny size: each takes a runtime and a number of steps, and records as seldom as it can."""

from collections.abc import Callable

import numpy as np
import torch

from offconvex import descent, flow, rng
from offconvex.factorizations.hierarchical import model as hierarchical
from offconvex.factorizations.matrix import model as matrix
from offconvex.factorizations.matrix.nuclear_norm import minimize_nuclear_norm
from offconvex.factorizations.penalties import dynamics as penalties
from offconvex.factorizations.penalties import proximal
from offconvex.factorizations.tensor import fit as predictors
from offconvex.factorizations.tensor import model as tensor
from offconvex.flow_vs_descent import model as columns
from offconvex.flow_vs_descent import objective as layered
from offconvex.holdout import networks as holdout
from offconvex.instahide import classifier as instahide
from offconvex.instahide import decode, scheme, similarity
from offconvex.locality import networks as locality
from offconvex.locality import training as locality_training
from offconvex.locality.regularizer import Patch
from offconvex.parameterizations import dynamics
from offconvex.parameterizations import model as parameterizations
from offconvex.prediction import classifiers, gan
from offconvex.runtime import Runtime
from offconvex.sampling import langevin, model
from offconvex.sampling.tempering import dynamics as tempering
from offconvex.tangents import fresh_signs, learners, training, two_layer, wide

NEVER = 10**6  # steps between records

ENGINES: dict[str, Callable[[Runtime, int], object]] = {}


def engine(function):
    ENGINES[function.__name__.replace("_", " ")] = function
    return function


def draws(name: str = "engines") -> torch.Generator:
    return rng.generator(0, name)


def single(rt: Runtime) -> Runtime:
    return Runtime(rt.device, torch.float32)


def descend(rt, steps, objective, start, step_size=0.01):
    return descent.descend(objective, start, steps=steps, step_size=step_size, record_every=NEVER)


def completion(rt):
    target = rt.normal(draws(), 2, 4, 4)
    return target, (rt.normal(draws("mask"), 2, 4, 4) > 0).to(rt.dtype)


def pictures(rt, count: int = 40):
    return rt.uniform(draws("pictures"), count, 28, 28), torch.arange(count, device=rt.device) % 10


@engine
def descent_by_autograd(rt, steps):
    descend(rt, steps, descent.autograd_objective(lambda p: p[0].square().sum(1)), (rt.normal(draws(), 2, 3),))


@engine
def descent_with_a_step_for_each_replica(rt, steps):
    objective = descent.autograd_objective(lambda p: p[0].square().sum(1))
    descend(rt, steps, objective, (rt.normal(draws(), 2, 3),), rt.tensor([0.1, 0.2]))


@engine
def descent_with_an_adaptive_step(rt, steps):
    objective = descent.autograd_objective(lambda p: p[0].square().sum(1))
    descend(rt, steps, objective, (rt.normal(draws(), 2, 3),), descent.GroupRMSprop(0.01))


@engine
def matrix_factorization(rt, steps):
    objective = matrix.matrix_objective(matrix.completion_loss(*completion(rt)))
    descend(rt, steps, objective, matrix.identity_layers(rt, depth=3, size=4, replicas=2, scale=0.1))


@engine
def tensor_factorization(rt, steps):
    target = rt.normal(draws(), 1, 3, 3, 3)
    start = tensor.gaussian_factors(rt, [draws("start")], shape=(3, 3, 3), components=2, std=0.1)
    objective = tensor.TensorObjective(tensor.completion_loss(target, (target > 0).to(rt.dtype)))
    descend(rt, steps, objective, start)


@engine
def hierarchical_factorization(rt, steps):
    tree, target = hierarchical.mode_tree(hierarchical.BINARY_4), rt.normal(draws(), 1, 3, 3, 3, 3)
    start = hierarchical.gaussian_weights(rt, [draws("start")], tree=tree, shape=(3,) * 4, width=2, std=0.1)
    loss = tensor.completion_loss(target, (target > 0).to(rt.dtype))
    descend(rt, steps, hierarchical.HierarchicalObjective(tree, loss, low_rank=True), start)


@engine
def parameterized_descent(rt, steps):
    start = (parameterizations.parameterization(3).parameters(rt.tensor([[1.0, 2.0], [2.0, 1.0]])),)
    for loss in (parameterizations.PointLoss(), parameterizations.LineLoss()):
        descend(rt, steps, dynamics.objective(3, loss), start, 1e-4)


@engine
def least_nuclear_norm(rt, steps):
    minimize_nuclear_norm(*completion(rt), tolerance=0.0, iterations=steps)


@engine
def penalized_descent(rt, steps):
    start = matrix.identity_layers(rt, depth=2, size=4, replicas=2, scale=0.5)
    for optimizer in ("Adam", "descent"):
        penalties.fit(*completion(rt), start, penalties.Schedule(optimizer, steps), rate=0.01)


@engine
def soft_imputation(rt, steps):
    proximal.soft_impute(*completion(rt), (1e-3,), tolerance=0.0, iterations=steps)


@engine
def proximal_ratio(rt, steps):
    target, mask = completion(rt)
    proximal.proximal_ratio(target, mask, target, 0.01, steps)


@engine
def whitened_predictors(rt, steps):
    inputs = (255 * rt.uniform(draws(), 40, 6)).to(torch.uint8)
    targets = rt.uniform(draws("targets"), 40, 2)
    settings = predictors.FitSettings(log_steps=steps, factor_steps=steps, batch=20)
    predictors.fit(inputs, targets, components=2, settings=settings, start=draws("a"), order=draws("b"), rt=rt)


@engine
def the_flow_by_evaluations(rt, steps):
    loss = descent.autograd_objective(lambda p: p[0].square().square().sum(1))
    run = flow.flow(loss, (rt.normal(draws(), 1, 3),), np.array([0.0, steps / 4]), rtol=1e-6)
    return run.steps


@engine
def layers_of_a_network(rt, steps):
    images = columns.ImageColumns(rt.normal(draws(), 6, 10), torch.arange(10, device=rt.device) % 3)
    for slope in (0.0, 1.0):
        network = columns.Network((6, 4, 3), slope)
        layers = tuple(rt.normal(draws(), 1, out, fan) * 0.1 for fan, out in ((6, 4), (4, 3)))
        descend(rt, steps, layered.network_loss(network, images), layers)


@engine
def unadjusted_chains(rt, steps):
    target = model.TwoModes(2.0, dimension=2).target()
    state = langevin.start(target, rt.zeros(5, 2))
    ask = {"until": lambda x: x[:, 0] > 3, "record_every": NEVER}
    langevin.ula(target, state, rt, rng.numpy_generator(0, "ula"), step=0.1, steps=steps, **ask)


@engine
def adjusted_chains(rt, steps):
    target = model.TwoModes(2.0, dimension=2).target()
    state = langevin.start(target, rt.zeros(5, 2))
    langevin.mala(target, state, rt, rng.numpy_generator(0, "mala"), step=0.1, steps=steps, record_every=NEVER)


@engine
def tempered_chains(rt, steps):
    target, generator = model.TwoModes(2.0, dimension=2).target(), rng.numpy_generator(0, "temper")
    levels = tempering.Levels(rt.tensor([0.25, 0.5, 1.0]), rt.zeros(3))
    state = tempering.begin(target, levels, rt, generator, (20, 2))
    options = {"swap_rate": 5.0, "mark": lambda x: x[:, 0] > 0}
    tempering.temper(target, levels, state, rt, generator, step=0.1, steps=steps, **options)


@engine
def taylor_models(rt, steps):
    config = training.TaylorTraining((3, 3), count=200, batch=10, epochs=2, replicas=2, records=2)
    start = training.draw_start(config, rt, 0, "engines")
    inputs, labels = rt.normal(draws(), 10, 196), torch.arange(10, device=rt.device)
    for order in (0, 1, 3):
        moves = [torch.zeros_like(w).requires_grad_() for w in start]
        for _ in range(steps):
            training.step(config, start, moves, inputs, labels, order, 0.01)


@engine
def training_of_taylor_models(rt, steps):
    config = training.TaylorTraining((3, 3), count=100, batch=10, epochs=steps // 10, replicas=1, records=1)
    training.train(config, (0, 1), rt, 0, "engines")


@engine
def wide_networks(rt, steps):
    config = wide.Widths(dimension=3, samples=4, tests=2)
    task = wide.make_task(config, "relu", rt, 0)
    net = two_layer.draw(rt, draws(), 2, 6, 3, "relu")
    wide.descend(net, task, steps)
    wide.linear_descent(net, task, steps)


@engine
def fresh_signs_at_every_step(rt, steps):
    config = fresh_signs.Signed(3, (5,), width=4, steps=steps, replicas=1, draws=1, tests=5, records=1)
    for name in fresh_signs.MODELS:
        fresh_signs.fit(config, name, 5, rt)


@engine
def least_nuclear_form(rt, steps):
    features = rt.normal(draws(), 2, 5, 4)
    learners.least_nuclear(features, rt.normal(draws("labels"), 2, 5), tolerance=0.0, iterations=steps)


@engine
def training_with_the_regularizer(rt, steps):
    images, labels = rt.normal(draws(), 2, 40, 2, 1, 6), rt.uniform(draws("labels"), 2, 40).round()
    schedule = locality_training.TrainingSchedule(epochs=steps // 10, batch=4, strength=0.5, records=1)
    pair = Patch(0, 0, 1, 2), Patch(0, 4, 1, 2)
    architecture = locality.Architecture(2, channels=3, blocks=1, kernel=(1, 3))
    held = images[0], labels[0]
    locality_training.train(architecture, schedule, (images, labels), held, lambda _: pair, rt, 0, range(2))


@engine
def networks_on_a_replica_axis(rt, steps):
    count = 50 * steps // 2
    images, labels = single(rt).uniform(draws(), count, 14, 14), torch.arange(count, device=rt.device) % 10
    for family in holdout.FAMILIES:
        trial = holdout.Trial(family, width=32, batch=50, epochs=3, cosine=True, shift=True)
        holdout.train([trial], images, labels, single(rt), 0, "engines")


@engine
def classifier_of_encryptions(rt, steps):
    images, labels = pictures(single(rt))
    labels = torch.nn.functional.one_hot(labels, 10).to(images.dtype)
    settings = instahide.ClassifierTraining(epochs=steps // 10, batch=4)
    instahide.train(lambda epoch: (images, labels), settings, single(rt), 0, "engines")


@engine
def similarity_of_encryptions(rt, steps):
    images, labels = pictures(single(rt))
    settings = similarity.SimilarityTraining(steps=steps, images=8, views=2, channels=(4, 4))
    similarity.learn(images, labels, [scheme.cross(4)], settings, single(rt), 0)


@engine
def published_decoder(rt, steps):
    images, _ = pictures(rt, 6)
    owners = torch.arange(6, device=rt.device)[:, None] + torch.tensor([0, 1], device=rt.device)
    mixtures = decode.Mixtures(6, owners % 6, rt.uniform(draws(), 6, 2), 2)
    decode.descend(images, mixtures, decode.DecoderDescent(steps=steps))


@engine
def decoder_by_likelihood(rt, steps):
    images, _ = pictures(rt, 6)
    owners = torch.arange(6, device=rt.device)[:, None] + torch.tensor([0, 1], device=rt.device)
    mixtures = decode.Mixtures(6, owners % 6, rt.uniform(draws(), 6, 2), 2)
    decode.maximize(images, mixtures, decode.prior_of(images), decode.Likelihood(sweeps=steps))


@engine
def classifiers_of_the_competition(rt, steps):
    images, labels = pictures(single(rt))
    for family in classifiers.FAMILIES:
        member = classifiers.Member(family, recipe="dropout")
        classifiers.train(member, images, labels, single(rt), 0, "engines", enough=2.0, longest=steps // 10, batch=4)


@engine
def adversarial_network(rt, steps):
    images, labels = pictures(single(rt))
    small = gan.Gan(width=4, latent=8, embedding=4, dense=16, batch=4)
    gan.train(small, images, labels, (steps,), single(rt), 0, "engines", keep=lambda *_: None)
