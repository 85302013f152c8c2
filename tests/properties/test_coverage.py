"""Every public function has properties, or stands here with the reason why not."""

import pathlib
import re

import pytest
from properties import CASES

from offconvex.book.publication import api

for _file in sorted(pathlib.Path(__file__).parent.glob("cases_*.py")):
    __import__(_file.stem)

RECORDS = frozenset(
    "arms arrays architecture classifier config course curve curves data descents equivalence found gan member mixture"
    " mixtures model net network plane plan pool posterior prior problem published sampler scene scheme schedule search"
    " seed setting settings similarity stored study sweep swept table task tasks times_of truth".split()
)
"""Names of arguments that mark an experiment: a record of sizes, a seed, or results. What it does for its own sizes and
seeds is in the room's tests, in the smoke profile, and in every chapter's execution and sweep."""

EXCEPTIONS = {
    "claims.check": "needs an open chapter: tests/test_claims.py",
    "claims.control": "needs an open chapter: tests/test_claims.py",
    "claims.load": "reads a file: tests/test_claims.py",
    "claims.reset": "works on files: tests/test_claims.py",
    "datasets.full_arrays": "reads files: tests/test_datasets.py, tests/book/test_damage.py",
    "figures.read_data": "reads files: tests/test_figures.py, tests/book/test_damage.py",
    "figures.reset": "works on files and on matplotlib's state: tests/test_figures.py",
    "motion.save": "needs an open chapter: tests/test_motion.py",
    "paths.project_root": "depends on where the package lies: the pipeline's tests",
    "paths.require_project_root": "depends on where the package lies: the pipeline's tests",
    "runtime.active_run": "the state of an open chapter: tests/test_runtime.py",
    "stored.replace": "works on files: tests/book/test_killed.py",
    "factorizations.hierarchical_growth.local_growth": "makes a measuring function: tests/factorizations",
    "factorizations.penalties_dynamics.fit": "an optimizer with many modes: tests/factorizations/penalties",
    "factorizations.penalties_ratings.load": "reads a file of an optional package",
    "factorizations.tensor_fit.whitening": "a step of `fit`: tests/factorizations/tensor",
    "flow_vs_descent.backward_error.first_order_gap": "integrates a network's flow: tests/flow_vs_descent",
    "flow_vs_descent.backward_error.modified_flow": "integrates a network's flow: tests/flow_vs_descent",
    "flow_vs_descent.courses.lower_bound": "needs a network's loss: tests/flow_vs_descent",
    "flow_vs_descent.curvature.extremes": "needs a Hessian: tests/flow_vs_descent/test_objective.py",
    "flow_vs_descent.step_sizes.law_deviation": "arranges the chapter's runs: tests/flow_vs_descent",
    "flow_vs_descent.step_sizes.unit_share": "arranges the chapter's runs: tests/flow_vs_descent",
    "instahide.assign.names": "a pairing by least squares: tests/instahide/test_attack.py",
    "instahide.decode.descent_gradient": "against its loss: tests/instahide/test_attack.py",
    "instahide.decode.descent_loss": "the oracle of its gradient: tests/instahide/test_attack.py",
    "instahide.decode.prior_of": "a step of the attack: tests/instahide/test_attack.py",
    "instahide.demonstration.receiver": "a curve of the chapter: tests/instahide",
    "instahide.private_training.require_opacus": "asks for an optional package",
    "instahide.photographs.pool": "reads files: tests/instahide/test_photographs.py",
    "instahide.photographs.read": "reads files: tests/instahide/test_photographs.py",
    "instahide.photographs.supplied": "a path: tests/instahide/test_photographs.py",
    "instahide.prng.solve": "needs opened encryptions: tests/instahide/test_attack.py",
    "instahide.similarity.share": "against counting by hand: tests/instahide/test_attack.py",
    "instahide.theory.coefficient_moments": "a long quadrature: tests/instahide",
    "instahide.utility.first_epoch_accuracy": "runs an experiment",
    "locality.analytic.bilinear": "makes a model: tests/locality/test_regularizer.py",
    "locality.drawing.stroke": "draws in place: tests/locality/test_tasks.py",
    "locality.pathfinder.paper": "a record of the source's sizes",
    "locality.resnet18.resnet18": "makes a network of 11 million weights: tests/locality/test_networks.py",
    "locality.paper.report": "a text of results: tests/locality",
    "locality.same_class.shrink": "block means: tests/locality/test_tasks.py",
    "locality.trees.contract": "against a sum over all indices: tests/locality",
    "parameterizations.experiments.clock_error": "judges paths of the chapter: tests/parameterizations",
    "parameterizations.experiments.growth_ratio": "runs an experiment: tests/parameterizations",
    "parameterizations.experiments.line_end_points": "runs an experiment: tests/parameterizations",
    "parameterizations.experiments.polar_law": "runs an experiment: tests/parameterizations",
    "parameterizations.experiments.ratio_paths": "runs an experiment: tests/parameterizations",
    "parameterizations.experiments.run_paths": "runs an experiment: tests/parameterizations",
    "prediction.baselines.moved_images": "a fixed shift: tests/prediction",
    "prediction.collapse.duplicates": "in single precision on purpose: tests/prediction/test_measure.py",
    "prediction.collapse.half_size": "interpolates a curve of the chapter: tests/prediction",
    "prediction.collapse.half_size_ratios": "two of the chapter's curves: tests/prediction/test_measure.py",
    "prediction.collapse.supports": "in single precision on purpose: tests/prediction/test_measure.py",
    "prediction.gan.generate": "a part of the generator: tests/prediction/test_networks.py",
    "prediction.gan.normalized": "a part of the discriminator: tests/prediction/test_networks.py",
    "prediction.gan.score": "a part of the discriminator: tests/prediction/test_networks.py",
    "prediction.live.real_samples": "reads data",
    "prediction.mixture.log_joint": "a step of expectation maximization: tests/prediction",
    "prediction.measure.together": "puts records together: tests/prediction/test_measure.py",
    "prediction.study.unpacked": "the inverse of `packed`, whose property calls it",
    "sampling.exact.prefactors": "a table of the chapter: tests/sampling",
    "sampling.exact.shells": "a table of the chapter: tests/sampling",
    "sampling.manifold_experiments.arrhenius": "fits the chapter's times: tests/sampling/test_manifold.py",
    "sampling.tempering.learn": "a run of several rounds: tests/sampling/test_tempering.py",
    "sampling.theory_manifold.poorest_distance": "needs an operator that identifies: tests/sampling/test_manifold.py",
    "tangents.training.fashion": "reads data: tests/tangents",
}


def functions():
    """Public functions by name, each with the names of its arguments."""
    found = {}
    for part in api.parts():
        for module in api.modules(part):
            for entry in module.entries:
                if entry.kind == "function":
                    arguments = set(re.findall(r"[(, *](\w+)(?=[:,)=])", entry.signature.split(" -> ")[0]))
                    found[entry.name.removeprefix("offconvex.")] = arguments
    return found


def excused(name, arguments):
    """Whether a rule excuses a function: it only draws, it is the pipeline, or it runs or reads an experiment."""
    module = name.rsplit(".", 1)[0]
    return "plots" in module or name.startswith("book.") or bool(arguments & RECORDS)


def test_every_public_function_has_properties_or_a_reason_why_not():
    open_ones = {name for name, arguments in functions().items() if not excused(name, arguments)}
    assert sorted(open_ones - CASES.keys() - EXCEPTIONS.keys()) == []


def test_no_case_and_no_exception_is_left_over():
    known = functions()
    assert sorted(CASES.keys() - known.keys()) == []
    assert sorted(EXCEPTIONS.keys() - known.keys()) == []
    assert sorted(EXCEPTIONS.keys() & CASES.keys()) == []


@pytest.mark.parametrize("rule", ["plots", "book.", "record"])
def test_every_rule_excuses_something(rule):
    names = functions()
    by = {
        "plots": [n for n in names if "plots" in n],
        "book.": [n for n in names if n.startswith("book.")],
        "record": [n for n, arguments in names.items() if arguments & RECORDS],
    }
    assert by[rule]


def test_most_of_what_is_no_experiment_is_covered():
    assert len(CASES) >= 300
