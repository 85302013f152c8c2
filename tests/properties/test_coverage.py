"""Every public function has properties, or a test or a chapter that names it, or stands here with its reason."""

import ast
import inspect
import pathlib
import pkgutil
from importlib import import_module

import pytest
from properties import CASES, name_of

import offconvex
from offconvex import paths, stored
from offconvex.book.execution import chapters, code

for _file in sorted(pathlib.Path(__file__).parent.glob("cases_*.py")):
    __import__(_file.stem)

EXCEPTIONS = {
    "factorizations.norms.curves.draw_products": "the start of `coordinate_curve`",
    "factorizations.norms.curves.start_layers": "the start of `weight_curve`",
    "factorizations.norms.tensor.collect": "joins the rows of `sweep`",
    "factorizations.norms.tensor.linear_ranks": "a row of the stored experiment at order four",
    "factorizations.penalties.experiments.default_rate": "a setting of `run_cell`",
    "factorizations.tensor.images.fit_design": "a step of the stored experiment and of its slice, `fit_slice`",
    "figures.band": "only draws",
    "files.digest": "a checksum of `write_sealed`, which tests/book/test_damage.py damages",
    "files.as_json": "the text of `write_json`, which tests/test_files.py reads back",
    "files.probe": "asked before every run; tests/book/test_disks.py fills and locks the disk under it",
    "files.replace_all": "tests/book/test_disks.py fills the disk and kills the writer of several files at once",
    "files.log": "opens the log of `make book`",
    "flow_vs_descent.backward_error.first_order_gap": "a curve of `corrections.compare`, whose orders are measured",
    "flow_vs_descent.backward_error.modified_flow": "a curve of `corrections.compare`, whose orders are measured",
    "flow_vs_descent.courses.curves": "the runs of `follow`",
    "flow_vs_descent.courses.lower_bound": "a column of `follow`",
    "flow_vs_descent.scalar_output.random_starts": "the starts of `converge`",
    "holdout.bits.words": "the size of what `pack` makes",
    "holdout.razor.calculator.report": "what the command prints: tests/book/test_examples.py runs it",
    "holdout.search.reused_half": "the labels of `trials.halves`",
    "holdout.trials.correctness": "a step of `trials.halves`",
    "instahide.assign.names": "a step of `attack.named`",
    "instahide.attack.named": "a step of `attack.trial`",
    "instahide.decode.noise_variance": "a step of `maximize`",
    "instahide.decode.temperatures": "the schedule of `maximize`",
    "instahide.gallery.scan.looked_up": "the sum in `scores`",
    "instahide.gallery.scan.table": "the terms of `scores`",
    "instahide.gallery.study.encrypted": "the first half of `scanned`",
    "instahide.gallery.study.inside_package": "the images of `live`",
    "instahide.gallery.study.patches": "the photographs of `encrypted`",
    "instahide.gallery.study.seconds": "times, a column of the stored experiment",
    "instahide.photographs.pool": "the photographs of `attack.data_of`",
    "instahide.privacy.federated.gain_of": "a column of `compare`",
    "instahide.privacy.federated.own_gain": "a column of `compare`",
    "instahide.privacy.scratch.network": "needs an optional package",
    "instahide.privacy.scratch.require_opacus": "asks for an optional package",
    "instahide.privacy.study.public_network": "an arm of the stored experiment",
    "instahide.privacy.study.show": "an arm of the stored experiment",
    "instahide.privacy.study.shown_sets": "an arm of the stored experiment",
    "instahide.prng.solve": "a step of `experiments.seed_search`",
    "instahide.scheme.draw_key": "a step of `encrypt`",
    "instahide.seeds.twister.require_numba": "asks for an optional package",
    "instahide.similarity.share": "the guess that `learn` is held against",
    "instahide.tuning.groups.refined": "the rounds of `group`",
    "instahide.tuning.study.attacked": "a part of the stored experiment",
    "instahide.tuning.study.by_codes": "a step of the stored experiment",
    "instahide.tuning.study.learned": "a part of the stored experiment",
    "instahide.utility.accuracies": "a column of the stored experiment",
    "instahide.utility.first_epoch_accuracy": "a step of `experiments.first_epoch_difference`",
    "instahide.utility.slow_seconds": "a time",
    "locality.pairs.setting.seed_of": "the seed of a network of `study`",
    "locality.pairs.trials.label": "a name of the stored experiment",
    "locality.pathfinder.paper.accuracy": "a column of `run`",
    "locality.pathfinder.paper.step_loss": "a step of `run`",
    "factorizations.hierarchical.measure.local_growth": "the law's terms in `laws.measure_growth`",
    "locality.pathfinder.small.train": "a part of the stored experiments",
    "locality.pathfinder.study.label": "a name of the stored experiments",
    "locality.pathfinder.study.seed_of": "the seed of a network of the stored experiments",
    "locality.regularizer.input_gradient": "a step of `gradient_similarity`",
    "locality.training.evaluate": "a column of `train`",
    "prediction.baselines.sharpness": "a column of `measure`",
    "prediction.classifiers.hidden_and_logits": "`forward` is its second part",
    "prediction.experiments.alone": "a part of the stored experiment",
    "prediction.experiments.compare": "a part of the stored experiment",
    "prediction.experiments.fresh_real": "data of the stored experiment",
    "prediction.experiments.key": "a name of the stored experiment",
    "prediction.experiments.run_features": "a part of the stored experiment",
    "prediction.experiments.run_gan": "a part of the stored experiment",
    "prediction.experiments.run_pool": "a part of the stored experiment",
    "prediction.experiments.run_simple": "a part of the stored experiment",
    "prediction.live.stored_accuracies": "a column of the chapter's slice",
    "run.activate": "a step of `chapter.begin`",
    "tangents.thresholds.kinds_of": "the parts of the stored experiment",
    "tangents.training.record_steps": "a setting of `train`",
    "tangents.training.value": "a step of `train`",
}


def functions():
    """Public functions by dotted name, without those that only draw and those of the pipeline, which has its tests."""
    found = {}
    for info in pkgutil.walk_packages(offconvex.__path__, "offconvex."):
        if ".book" not in info.name and "plots" not in info.name:
            module = import_module(info.name)
            own = [f for f in vars(module).values() if inspect.isfunction(f) and f.__module__ == info.name]
            found |= {name_of(f): f for f in own if not f.__name__.startswith("_")}
    return found


def named(text):
    """Dotted names, without the package, of what a piece of Python names that it has imported from the package."""
    tree, imported, found = ast.parse(text), {}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "offconvex":
            imported |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree):
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if isinstance(node, ast.Name) and node.id in imported:
            found.add(".".join([imported[node.id], *reversed(parts)]).removeprefix("offconvex."))
    return found


@pytest.fixture(scope="module")
def tested():
    """Functions that a test or a chapter names, and those that a stored experiment is declared with."""
    tests = paths.require_project_root() / "tests"
    texts = [f.read_text() for f in tests.rglob("*.py") if f.parent != pathlib.Path(__file__).parent]
    texts += ["\n".join(code.cells(chapter)) for chapter in chapters.names()]
    declared = [part for e in stored.experiments().values() for part in (e.parts, e.run, e.assemble)]
    declared += [cell.cell_contents for f in declared for cell in getattr(f, "__closure__", None) or ()]
    return set().union(*map(named, texts)) | {name_of(f) for f in declared if inspect.isfunction(f)}


def test_every_public_function_is_tested_or_excused(tested):
    assert sorted(functions().keys() - CASES.keys() - tested - EXCEPTIONS.keys()) == []


def test_no_exception_is_left_over(tested):
    assert sorted(EXCEPTIONS.keys() - functions().keys()) == []
    assert sorted(EXCEPTIONS.keys() & (CASES.keys() | tested)) == []


def test_every_case_is_of_a_public_function():
    assert sorted(name for name in CASES.keys() - functions().keys() if not name.startswith("book.")) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from offconvex import rng\nrng.generator(0)", {"rng", "rng.generator"}),
        ("from offconvex.tangents import wide as w\nw.rate", {"tangents.wide", "tangents.wide.rate"}),
        ("from offconvex.descent import descend\ndescend(f)", {"descent.descend"}),
        ("import numpy as np\nnp.zeros", set()),
    ],
)
def test_a_named_function_is_found(text, found):
    assert named(text) == found
