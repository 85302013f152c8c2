"""A picked norm and decay: the runs are those of the room, and their certificates are valid and close."""

import numpy as np
import pytest

from offconvex.bias import certificate
from offconvex.bias.steepest import margins, radius
from offconvex.bias.steepest.model import SeparableData

EXAMPLES = SeparableData(rows=4, columns=4, examples=8, laws=("gaussian",)).draw(11)


@pytest.mark.parametrize("name", certificate.NORMS)
def test_the_run_without_decay_is_that_of_the_race(name):
    found = radius.pick(radius.Pick(name, steps=400, looks=5), EXAMPLES[0])
    config = margins.MarginRace(steps=400, first=3.0, looks=5)
    course, place = margins.race(config, EXAMPLES), certificate.NORMS.index(name)
    seen = margins.bracket(config, EXAMPLES, course)
    assert found.steps[-1] == seen.steps[-1] == 400
    assert found.margin[0, -1] == pytest.approx(seen.margin[-1, place, 0], rel=1e-9)
    assert (found.margin[0] <= found.bound[0] * (1 + 1e-12)).all()


def test_at_rest_decay_costs_at_most_its_strength_times_the_logarithm_of_the_number_of_examples():
    config = radius.Pick("frobenius", decay=0.3, steps=4000)
    found = radius.pick(config, EXAMPLES[0])
    gap = radius.decayed(radius.DecayedRun(decays=(0.3,), steps=4000), "frobenius", EXAMPLES).gap[0, 0]
    assert gap < 1e-3
    missing = found.bound[1, -1] - found.margin[1, -1]
    assert 0 < missing <= 0.3 * (np.log(8) + gap)
    # Without decay less is missing, and no certificate of either run is below the other's margin.
    assert found.bound[0, -1] - found.margin[0, -1] < missing / 2
    assert found.bound.min() >= found.margin.max()


@pytest.mark.parametrize("wrong", [{"norm": "ky fan"}, {"decay": 0.0}, {"decay": np.inf}, {"first": 0.0}, {"looks": 1}])
def test_what_cannot_be_picked_is_refused(wrong):
    with pytest.raises(ValueError, match="; got "):
        radius.Pick(**wrong)
