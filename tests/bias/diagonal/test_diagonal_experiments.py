"""What the chapter runs, at small size: shapes, streams, and the direction of each effect."""

import numpy as np
import pytest

from offconvex.bias.diagonal import experiments, model

LAW = model.SparseLaw(12, 20, 2)


def test_the_flow_ends_at_the_potential_to_first_order():
    ends = experiments.flow_ends(LAW, 0, 3, alpha=0.3)
    assert np.all(ends.distance < 0.01)
    assert np.allclose(ends.ratio, 2, atol=0.05)
    assert np.all(ends.control > 5 * ends.distance)


def test_every_kind_of_run_keeps_the_law():
    errors = experiments.law_errors([LAW, model.SparseLaw(8, 20, 2, "student")], 0, alpha=0.3, times=3, block=200)
    assert errors.exact.shape == errors.flow.shape == (len(experiments.KINDS), 2)
    assert max(errors.exact.max(), errors.identity.max()) < 1e-9
    assert errors.flow.min() > 1e-4
    with pytest.raises(ValueError, match="A kind of steps is one of steps, larger steps"):
        experiments.kind_of_steps("sideways", LAW.draw(0, "x", 1).X)


def test_large_steps_spend_on_the_support_and_single_examples_everywhere():
    problem = model.SparseLaw(25, 40, 3).draw(0, "large", 8)
    full = experiments.large_steps(problem, 0.95, 0, alpha=0.2, single=False)
    single = experiments.large_steps(problem, 0.8, 0, alpha=0.2, single=True)
    assert full.excess.mean() > 0 > single.excess.mean()
    assert full.concentration.mean() > single.concentration.mean() + 1
    assert np.array_equal(full.support, problem.support)
    again = experiments.large_steps(problem, 0.8, 0, alpha=0.2, single=True)
    assert np.array_equal(again.excess, single.excess)
    assert not np.array_equal(experiments.large_steps(problem, 0.8, 1, alpha=0.2, single=True).excess, single.excess)


def test_label_noise_walks_at_its_rate():
    problem = LAW.draw(0, "noise", 2)
    walk = experiments.noisy_walk(problem, 0, alpha=0.4, share=0.04, noise=1.0, count=8000)
    assert walk.walked.shape == walk.predicted.shape == (41, 2, 20)
    assert np.allclose(walk.drift_ratio, 1, atol=0.1)
    with pytest.raises(ValueError, match="a multiple of them as steps; got 40 and 79"):
        experiments.noisy_walk(problem, 0, alpha=0.4, share=0.04, noise=1.0, count=79)
    quiet = experiments.noisy_walk(problem, 0, alpha=0.4, share=0.04, noise=0.0, count=8000)
    spent = [np.abs(w.walked[-1] - w.walked[10]).max() for w in (walk, quiet)]
    assert spent[1] < 0.01 * spent[0]


def test_the_curve_rises_and_five_ways_lead_along_it():
    problem = model.SparseLaw(25, 40, 3).draw(0, "ways", 1)[0]
    alphas = np.geomspace(1e-3, 10, 30)
    errors, minimizers = experiments.solution_curve(problem, alphas)
    assert errors[0] < 0.01 < 0.3 < errors[-1]
    assert np.allclose(minimizers @ problem.X.T, problem.y, atol=1e-10)
    ends = experiments.five_ways(problem, 0, alpha=0.3)
    assert ends["start"].alpha == pytest.approx(0.3, rel=0.02)
    assert all(end.alpha < ends["start"].alpha for name, end in ends.items() if name != "start")
    for name in ("start", "a third of it", "decay"):
        on_curve, _ = experiments.solution_curve(problem, np.array([ends[name].alpha]))
        assert ends[name].error == pytest.approx(on_curve[0], rel=0.03)


SIZES = {"flow": 1, "grokking": 4}, 80, [1, 30], [0.01, 0.002, 0.001], [1, 12, 100, 1000]


@pytest.mark.parametrize(
    ("place", "wrong", "said"),
    [
        (0, {"flow": 0, "grokking": 1}, "one or more of each kind"),
        (0, {"flow": 1, "grokking": 5}, "at most four to grok"),
        (1, 79, "noise_steps is a multiple of 40, not 79"),
        (1, 0, "noise_steps is a multiple of 40, not 0"),
        (2, [1], "grok_starts begin with 1 and have 30"),
        (2, [], "grok_starts begin with 1 and have 30"),
        (3, [0.01], "grok_decays lead from 0.01 over 0.002 to 0.001"),
        (4, [1, 100, 1000], "small_starts lead from 1 over less than 100"),
        (4, [12, 100, 1000], "small_starts lead from 1 over less than 100"),
    ],
)
def test_sizes_without_a_claim_are_said(place, wrong, said):
    experiments.require_sizes(*SIZES)
    with pytest.raises(ValueError, match=said):
        experiments.require_sizes(*SIZES[:place], wrong, *SIZES[place + 1 :])


def test_distances_are_relative():
    assert np.allclose(experiments.distances(np.array([[1.0, 2.0]]), np.array([[1.0, 0.0]])), 2)
