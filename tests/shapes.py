"""Checks the shapes that annotations name, in the tests and only there: where the modules run, they are inert.

Every function of the modules listed in `MODULES` whose annotations name a shape is checked by beartype, arguments and
result. A public function refuses bad input in a sentence of its own, and shall be heard with it: an argument that does
not have the annotated shape is a violation only if the function takes it.
"""

import functools
import inspect
import itertools
import typing

import beartype
import jaxtyping

MODULES = [
    "bias.certificate",
    "bias.diagonal.grokking",
    "bias.diagonal.grokking_theory",
    "bias.diagonal.jumps",
    "bias.diagonal.descent",
    "bias.diagonal.experiments",
    "bias.diagonal.model",
    "bias.diagonal.saddles",
    "bias.diagonal.saddles_theory",
    "bias.diagonal.visits",
    "bias.diagonal.theory",
    "bias.mirror",
    "bias.rosenbrock",
    "bias.steepest.margins",
    "bias.steepest.adam",
    "bias.steepest.adam_theory",
    "bias.steepest.best_margin",
    "bias.steepest.model",
    "bias.steepest.muon",
    "bias.steepest.polynomial",
    "bias.steepest.polynomial_theory",
    "bias.steepest.radius",
    "bias.steepest.rules",
    "bias.steepest.theory",
    "datasets",
    "descent",
    "factorizations.balance",
    "factorizations.growth",
    "factorizations.hierarchical.incremental",
    "factorizations.hierarchical.measure",
    "factorizations.hierarchical.model",
    "factorizations.hierarchical.network",
    "factorizations.hierarchical.task",
    "factorizations.hierarchical.wide",
    "factorizations.incremental",
    "factorizations.matrix.measure",
    "factorizations.matrix.model",
    "factorizations.matrix.nuclear_norm",
    "factorizations.matrix.task",
    "factorizations.measure",
    "factorizations.norms.baselines",
    "factorizations.norms.coordinates",
    "factorizations.norms.curves",
    "factorizations.norms.laws",
    "factorizations.norms.measure",
    "factorizations.norms.task",
    "factorizations.norms.tensor",
    "factorizations.norms.theory",
    "factorizations.penalties.dynamics",
    "factorizations.penalties.experiments",
    "factorizations.penalties.laws",
    "factorizations.penalties.measure",
    "factorizations.penalties.model",
    "factorizations.penalties.proximal",
    "factorizations.penalties.ratings",
    "factorizations.penalties.stored",
    "factorizations.penalties.theory",
    "factorizations.tasks",
    "factorizations.tensor.binary",
    "factorizations.tensor.circuit",
    "factorizations.tensor.fit",
    "factorizations.tensor.images",
    "factorizations.tensor.incremental",
    "factorizations.tensor.init_scale",
    "factorizations.tensor.measure",
    "factorizations.tensor.model",
    "factorizations.tensor.rank",
    "factorizations.tensor.task",
    "factorizations.theory",
    "figures",
    "fits",
    "flow",
    "flow_vs_descent.backward_error",
    "flow_vs_descent.convolutional",
    "flow_vs_descent.courses",
    "flow_vs_descent.dual",
    "flow_vs_descent.objective",
    "flow_vs_descent.plane",
    "flow_vs_descent.saddle",
    "flow_vs_descent.scalar_output",
    "flow_vs_descent.step_sizes",
    "flow_vs_descent.theory",
    "holdout.analyst",
    "holdout.bits",
    "holdout.evidence",
    "holdout.feature_selection",
    "holdout.leaderboard",
    "holdout.networks",
    "holdout.razor.theory",
    "holdout.search",
    "holdout.simulate",
    "holdout.theory",
    "holdout.trials",
    "instahide.assign",
    "instahide.attack",
    "instahide.classifier",
    "instahide.decode",
    "instahide.experiments",
    "instahide.gallery.cost",
    "instahide.gallery.scan",
    "instahide.gallery.study",
    "instahide.keys",
    "instahide.measure",
    "instahide.photographs",
    "instahide.privacy.features",
    "instahide.privacy.federated",
    "instahide.privacy.gradients",
    "instahide.privacy.leaks",
    "instahide.privacy.learner",
    "instahide.privacy.matching",
    "instahide.privacy.membership",
    "instahide.privacy.study",
    "instahide.privacy.theory",
    "instahide.prng",
    "instahide.scheme",
    "instahide.seeds.study",
    "instahide.seeds.theory",
    "instahide.seeds.twister",
    "instahide.similarity",
    "instahide.theory",
    "instahide.tuning.groups",
    "instahide.tuning.learner",
    "instahide.tuning.study",
    "instahide.utility",
    "locality.bridge.choice",
    "locality.bridge.neighbors",
    "locality.measure",
    "locality.networks",
    "locality.pairs.modern",
    "locality.pairs.penalties",
    "locality.pairs.plane",
    "locality.pairs.same_class",
    "locality.pairs.setting",
    "locality.pairs.study",
    "locality.pathfinder.drawing",
    "locality.pathfinder.images",
    "locality.pathfinder.paper",
    "locality.pathfinder.resnet18",
    "locality.plateau",
    "locality.regularizer",
    "locality.tangent",
    "locality.training",
    "locality.trees",
    "parameterizations.dynamics",
    "parameterizations.experiments",
    "parameterizations.incremental",
    "parameterizations.measure",
    "parameterizations.model",
    "parameterizations.theory",
    "prediction.baselines",
    "prediction.classifiers",
    "prediction.collapse",
    "prediction.experiments",
    "prediction.gan",
    "prediction.larger",
    "prediction.live",
    "prediction.measure",
    "prediction.mixture",
    "prediction.theory",
    "runtime",
    "sampling.langevin",
    "sampling.manifolds.experiments",
    "sampling.manifolds.fibers",
    "sampling.manifolds.posterior",
    "sampling.manifolds.theory",
    "sampling.measure",
    "sampling.model",
    "sampling.tempering.dynamics",
    "sampling.tempering.exact",
    "sampling.tempering.experiments",
    "sampling.tempering.grid_theory",
    "sampling.tempering.scenes",
    "sampling.tempering.theory",
    "tangents.fresh_signs",
    "tangents.learners",
    "tangents.polynomials",
    "tangents.representations",
    "tangents.series",
    "tangents.taylor_orders",
    "tangents.term_sizes",
    "tangents.theory",
    "tangents.thresholds",
    "tangents.training",
    "tangents.two_layer",
    "tangents.wide",
    "trajectory",
]

ALL, SOME = 500, 50  # of a function's calls the first 500 are checked, and then one in 50

# Whole numbers pass for floating-point ones, as they do for Python and for mypy.
_CHECKER = beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))
_jaxtyped = jaxtyping.jaxtyped


def names_a_shape(hint) -> bool:
    """Whether a shape stands in an annotation, at any depth."""
    if inspect.isclass(hint) and issubclass(hint, jaxtyping.AbstractArray):
        return True
    return any(map(names_a_shape, typing.get_args(hint)))


def checked(thing):
    """A function, or a record as it is made, with the shapes of its arguments and of its result checked."""
    if inspect.isclass(thing):
        if hasattr(thing, "__dataclass_fields__"):
            thing.__init__ = checked(thing.__init__)
        return thing
    shapes = {name: hint for name, hint in thing.__annotations__.items() if names_a_shape(hint)}
    if not shapes:
        return thing

    calls = itertools.count()

    @functools.wraps(thing)
    def speaking(*args, **kwargs):
        number = next(calls)
        if number >= ALL and number % SOME:  # steps of a long run are alike, and a check costs a tenth of a millisecond
            return thing(*args, **kwargs)
        try:
            return strict(*args, **kwargs)
        except jaxtyping.TypeCheckError as violation:
            if str(violation).startswith(own):
                thing(*args, **kwargs)  # which has not been called yet, and may refuse the argument itself
            raise

    thing.__annotations__ = shapes  # all else is mypy's; `speaking` keeps what was there
    strict = _jaxtyped(thing, typechecker=_CHECKER)
    own = f"Type-check error whilst checking the parameters of {thing.__module__}.{thing.__qualname__}."
    speaking.shapes = shapes
    return speaking


def install(modules=MODULES) -> None:
    """Have the functions of these modules of the package checked from their import on."""
    # The import hook decorates with `jaxtyping.jaxtyped`; looked up when a module is executed, it is `checked`.
    jaxtyping.jaxtyped = lambda *, typechecker: checked
    jaxtyping.install_import_hook([f"offconvex.{name}" for name in modules], "beartype.beartype")
