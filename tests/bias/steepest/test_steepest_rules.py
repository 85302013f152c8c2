"""Data sets, the five directions, and the loop that rules share."""

import numpy as np
import pytest

from offconvex.bias import certificate
from offconvex.bias.steepest import model, rules

SMALL = model.SeparableData(rows=3, columns=4, examples=6, laws=("gaussian", "uniform", "student", "student"))


def test_data_have_variance_one_and_a_stream_each():
    large = model.SeparableData(rows=60, columns=60, examples=60, laws=("gaussian", "uniform", "student"))
    data = large.draw(3)
    assert data.shape == (3, 60, 60, 60)
    assert np.allclose(data.reshape(3, -1).mean(axis=-1), 0, atol=0.02)
    assert np.allclose(data.reshape(3, -1).var(axis=-1), 1, atol=0.05)
    assert np.abs(data[1]).max() <= np.sqrt(3)
    drawn = SMALL.draw(0)
    assert not np.allclose(drawn[2], drawn[3])
    assert np.array_equal(drawn, SMALL.draw(0))
    assert not np.allclose(drawn, SMALL.draw(1))


def test_data_are_separable():
    for data in SMALL.draw(5):
        weights = np.linalg.lstsq(data.reshape(6, 12), np.ones(6))[0].reshape(3, 4)
        assert np.allclose(certificate.margins(data, weights), 1)


@pytest.mark.parametrize("name", certificate.NORMS)
def test_direction_has_norm_one_and_attains_the_dual_norm(name):
    gradient = np.random.default_rng(0).standard_normal((2, 5, 4, 3))
    step = rules.direction(name, gradient)
    assert np.allclose(certificate.norm(name, step), 1, rtol=1e-12)
    assert np.allclose(np.sum(step * gradient, axis=(-2, -1)), certificate.dual_norm(name, gradient), rtol=1e-12)


def test_five_at_once_are_the_five():
    gradients = np.random.default_rng(1).standard_normal((5, 3, 4, 5))
    together = rules.directions(gradients)
    for place, name in enumerate(certificate.NORMS):
        assert np.allclose(together[place], rules.direction(name, gradients[place]), atol=1e-13)


def test_ties_and_zeros():
    tied = np.array([[0.0, -2.0], [2.0, 1.0]])
    assert np.array_equal(rules.direction("sum", tied), [[0, -1], [0, 0]])
    assert np.array_equal(rules.direction("max", tied), [[0, -1], [1, 1]])
    assert np.array_equal(rules.direction("frobenius", np.zeros((2, 2))), np.zeros((2, 2)))


def test_loop_is_the_recursion():
    data, lengths = SMALL.draw(2), 0.3 / np.sqrt(np.arange(1, 41))
    scale = np.array([1.0, 0.5, 2.0, 1.5])
    course = rules.follow(data, lambda g: rules.direction("max", g), lengths, scale=scale, decay=0.4, keep=[1, 17])
    assert list(course.steps) == [1, 17, 40]
    for place in range(4):
        w, summed = np.zeros((3, 4)), np.zeros(6)
        for number, length in enumerate(lengths, start=1):
            z = np.einsum("nij,ij->n", data[place], w)
            p = np.exp(-z) / np.exp(-z).sum()
            summed += length * p
            eta = length * scale[place]
            w = (1 - eta * 0.4) * w + eta * np.sign(np.einsum("n,nij->ij", p, data[place]))
            if number in (17, 40):
                kept = list(course.steps).index(number)
                assert np.allclose(course.weights[kept, place], w, atol=1e-12)
                assert np.allclose(course.summed_p[kept, place], summed, atol=1e-12)
        assert np.allclose(course.p[-1, place], certificate.loss_weights(certificate.margins(data[place], w)))
    assert np.allclose(course.mean_p(), course.summed_p[-1] / lengths.sum())
    assert np.allclose(course.mean_p(1), (course.summed_p[2] - course.summed_p[1]) / lengths[17:].sum())
    assert np.allclose(course.mean_p(1).sum(axis=-1), 1)


def test_a_rule_may_have_a_memory():
    memory = []

    def rule(gradient):
        memory.append(gradient)
        return sum(memory) / len(memory)

    course = rules.follow(SMALL.draw(0), rule, np.full(5, 0.1))
    assert len(memory) == 5
    assert np.isfinite(course.weights).all()


def test_replicas_do_not_touch_each_other():
    data, lengths = SMALL.draw(4), np.full(30, 0.05)
    stacked = np.broadcast_to(data, (5, *data.shape))
    together = rules.follow(stacked, rules.directions, lengths).weights[-1]
    for place, name in enumerate(certificate.NORMS):
        alone = rules.follow(data[1], lambda g, name=name: rules.direction(name, g), lengths).weights[-1]
        assert np.allclose(together[place, 1], alone, atol=1e-11)


def test_margins_grow_on_the_logistic_loss_too():
    course = rules.follow(SMALL.draw(1), lambda g: g, np.full(400, 0.05), loss="logistic", keep=[100])
    least = certificate.margins(SMALL.draw(1), course.weights[-1]).min(axis=-1)
    assert np.all(least > 0)


def test_bad_input_gets_a_sentence():
    with pytest.raises(ValueError, match="Laws are out of"):
        model.SeparableData(laws=("cauchy",))
    with pytest.raises(ValueError, match="Laws are out of"):
        model.SeparableData(laws=())
    with pytest.raises(ValueError, match="certainly separable; got 13 examples of 3 x 4"):
        model.SeparableData(rows=3, columns=4, examples=13)
    with pytest.raises(ValueError, match="whole numbers of rows, columns and examples; got 8, 8 and 24.5"):
        model.SeparableData(examples=24.5)
    with pytest.raises(ValueError, match="A norm is one of"):
        rules.direction("taxicab", np.ones((2, 2)))
    with pytest.raises(ValueError, match="keeps 1 to 3 of them"):
        rules.follow(SMALL.draw(0), lambda g: g, np.ones(3), keep=[4])
    with pytest.raises(ValueError, match="positive length"):
        rules.follow(SMALL.draw(0), lambda g: g, np.zeros(3))
    with pytest.raises(ValueError, match=r"must be in \[0, 1\]"):
        rules.follow(SMALL.draw(0), lambda g: g, np.ones(3), decay=1.5)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_course_that_leaves_the_numbers_says_so():
    with pytest.raises(FloatingPointError, match="not finite after 3 steps"):
        rules.follow(SMALL.draw(0), lambda g: g * np.inf, np.ones(3))
