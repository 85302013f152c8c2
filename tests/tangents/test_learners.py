"""Nuclear norm, kernels, polynomial features, and thresholds against independent computations."""

import numpy as np
import pytest
import torch
from scipy import optimize

from offconvex import rng, runtime, stored
from offconvex.tangents import learners, polynomials, representations, theory, thresholds

RT = runtime.resolve("cpu")


def task(n, d, replicas=2):
    inputs = RT.normal(rng.generator(0, "learners", n, d), replicas, n, d)
    return inputs, inputs[..., 0].square()


def test_least_nuclear_fits_and_its_gap_certifies():
    inputs, labels = task(12, 6)
    fit = learners.least_nuclear(inputs, labels, tolerance=1e-6)
    assert fit.misfit.max() < 1e-8 and fit.gap.max() <= 1e-6
    nuclear = torch.linalg.eigvalsh(fit.matrix).abs().sum(1)
    # The truth fits and has nuclear norm one.
    assert (nuclear <= 1 + 1e-6).all()
    loose = learners.least_nuclear(inputs, labels, iterations=3)
    assert loose.gap.max() > 1e-3 and loose.misfit.max() < 1e-8


def test_least_nuclear_agrees_with_a_general_optimizer():
    """Over the null space of the measurements, smoothed nuclear norm by BFGS."""
    inputs, labels = task(3, 3, replicas=1)
    rows, columns = np.triu_indices(3)
    x = inputs[0].numpy()
    design = x[:, rows] * x[:, columns] * np.where(rows == columns, 1, 2)
    point = np.linalg.lstsq(design, labels[0].numpy(), rcond=None)[0]
    null = np.linalg.svd(design)[2][3:]

    def nuclear(c):
        matrix = np.zeros((3, 3))
        matrix[rows, columns] = point + c @ null
        matrix[columns, rows] = matrix[rows, columns]
        return np.sqrt(np.linalg.eigvalsh(matrix) ** 2 + 1e-10).sum()

    best = min(
        optimize.minimize(
            nuclear, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 9000}
        ).fun
        for start in (np.zeros(3), np.ones(3))
    )
    fit = learners.least_nuclear(inputs, labels, tolerance=1e-7)
    assert float(torch.linalg.eigvalsh(fit.matrix).abs().sum()) == pytest.approx(best, rel=1e-4)


def test_the_quadratic_model_finds_the_direction_above_its_threshold_only():
    for n, found in ((60, True), (12, False)):
        inputs, labels = task(n, 12)
        matrix = learners.least_nuclear(inputs, labels).matrix
        assert bool(((matrix[:, 0, 0] - 1).abs() < 1e-2).all()) == found


def test_kernels_are_features_in_disguise():
    x, y = (RT.normal(rng.generator(i, "kernel"), 5, 4) for i in (0, 1))
    flat = [torch.cat([torch.ones_like(z[:, :1]), (z[:, :, None] * z[:, None]).flatten(1) / 4], 1) for z in (x, y)]
    torch.testing.assert_close(learners.even_kernel(x, y, 2), flat[0] @ flat[1].mT)
    unit = [z / z.norm(dim=1, keepdim=True) for z in (x, y)]
    expected = theory.tangent_kernel(unit[0].numpy(), unit[1].numpy(), "relu")
    assert learners.tangent_kernel(*unit).numpy() == pytest.approx(expected)


def test_kernel_fit_interpolates_and_is_exact_at_the_dimension():
    d = 5
    inputs, tests = (RT.normal(rng.generator(i, "fit"), 40, d) for i in (0, 1))

    def predict(n):
        seen = inputs[:n]
        kernel, across = learners.even_kernel(seen, seen, 2), learners.even_kernel(torch.cat([tests, seen]), seen, 2)
        return learners.kernel_fit(kernel[None], across[None], seen[None, :, 0].square())[0]

    n = theory.even_dimension(d, 2, sphere=False)
    truth = torch.cat([tests, inputs])[:, 0].square()
    assert n == 16
    torch.testing.assert_close(predict(n), truth[: 40 + n], rtol=1e-4, atol=1e-4)
    assert (predict(n - 4)[:40] - truth[:40]).abs().max() > 0.1


def test_features_are_white_and_complete():
    d = 5
    points = polynomials.sphere(RT, rng.generator(0, "white"), 200_000, d)
    assert points.square().sum(1).sub(d).abs().max() < 1e-10
    features = polynomials.quadratic_features(points)
    assert features.shape[1] == theory.even_dimension(d, 2, sphere=True) == 15
    assert (features.mT @ features / len(points) - RT.eye(15)).abs().max() < 0.03
    # Rotation-invariant: the kernel of white features of degree two depends on inner products alone.
    x, y = points[:50], points[50:100]
    spin = torch.linalg.qr(RT.normal(rng.generator(0, "spin"), d, d))[0]
    gram = polynomials.quadratic_features(x) @ polynomials.quadratic_features(y).mT
    torch.testing.assert_close(
        polynomials.quadratic_features(x @ spin) @ polynomials.quadratic_features(y @ spin).mT, gram
    )
    cubic = representations.features(points[:400], 3)
    assert cubic.shape[1] == torch.linalg.matrix_rank(cubic) == theory.sphere_dimension(d, 3)
    white = polynomials.whitener(cubic)
    torch.testing.assert_close(white.mT @ (cubic.mT @ cubic / 400) @ white, RT.eye(50))


def test_whitening_needs_samples():
    with pytest.raises(ValueError, match="Whitening 9 features needs at least as many samples; got 4"):
        polynomials.whitener(RT.zeros(4, 9))


def test_dimensions():
    assert theory.even_dimension(6, 4, sphere=True) == 126 and theory.sphere_dimension(6, 4) == 182
    assert theory.even_dimension(10, 2, sphere=False) == 56


def test_top_degree_share():
    """Against a regression on many points: t^4 on the circle has share 1/8 / (3/8) of cos(4 theta), squared norms."""
    # cos^4 = 3/8 + cos(2u)/2 + cos(4u)/8; mean squares 9/64, 1/8, 1/128.
    assert theory.top_degree_share(2, 4) == pytest.approx((1 / 128) / (9 / 64 + 1 / 8 + 1 / 128), rel=1e-8)
    assert theory.top_degree_share(6, 5) == pytest.approx(1 / 27, rel=1e-10)


def test_the_nuclear_threshold_is_the_mean_of_the_distance():
    """Against random matrices instead of the semicircle, whose edges differ at small sizes."""
    d, draws = 40, rng.numpy_generator(0, "cone")
    noise = draws.standard_normal((60, d, d))
    noise = (noise + noise.transpose(0, 2, 1)) / 2
    values = np.abs(np.linalg.eigvalsh(noise[:, 1:, 1:]))
    mean = [d + t * t + (np.clip(values - t, 0, None) ** 2).sum(1).mean() for t in np.linspace(2, 9, 60)]
    assert theory.nuclear_threshold(d) == pytest.approx(min(mean), rel=0.04)


def test_crossing_reads_the_last_fall():
    sizes = np.array([10, 20, 30, 40])
    errors = np.array([[0.9], [0.03], [0.25], [0.05 - 0.05]])
    assert thresholds.crossing(sizes, errors, 0.05) == pytest.approx(38)
    for bad in (np.ones((4, 1)), np.zeros((4, 1))):
        with pytest.raises(ValueError, match="does not cross 0.05 between 10 and 40 samples"):
            thresholds.crossing(sizes, bad, 0.05)


def test_curves_name_their_parts_and_know_the_exact_error():
    config = thresholds.LearningCurves(ratios=(2.0, 5.0), trials=3, tests=50)
    assert len(thresholds.curve_parts(config)) == 4 + 4 + 3 + 3 * 4
    found = thresholds.curve(config, "quadratic", 6, RT)
    assert found["errors"].shape == found["gaps"].shape == (2, 3)
    assert (found["errors"][1] < 1e-3).all() and (found["gaps"] <= 1e-3).all()
    wrong = RT.zeros(1, 6, 6)
    wrong[0, 0, 1] = wrong[0, 1, 0] = 0.5
    values = learners.quadratic_values(wrong, RT.normal(rng.generator(0, "exact"), 1, 200_000, 6))
    assert float(values.square().mean()) == pytest.approx(2 * float(wrong.square().sum()), rel=0.02)


def test_a_kernel_on_white_features_is_just_a_kernel():
    config = thresholds.LearningCurves(trials=2, tests=200)
    errors = [thresholds.curve(config, kind, 5, RT)["errors"] for kind in ("kernel4", "stacked4")]
    assert (errors[0][-1] < 1e-3).all() and (errors[1][-1] < 1e-3).all() and (errors[1][0] > 0.1).all()


def test_the_slice_sees_changed_curves():
    kept = thresholds.CURVES.load()
    assert thresholds.slice_difference(kept, RT, ("kernel-10",)) < 1e-3
    changed = stored.Stored(kept.arrays | {"kernel-10": kept["kernel-10"] + 0.1}, kept.config, kept.provenance)
    assert thresholds.slice_difference(changed, RT, ("kernel-10",)) > 0.05


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"`features` must be \(R, n, D\) and `labels` \(R, n\)"):
        learners.least_nuclear(RT.zeros(3, 2), RT.zeros(3))


def test_representations(explicit_devices):
    odd = representations.odd_degree(representations.OddDegree(4, 2, unlabeled=3000, projection=3000), RT, 0)
    assert float(odd["floor"]) == pytest.approx(theory.top_degree_share(4, 5), rel=0.3)
    assert np.median(odd["errors"]) < float(odd["floor"])
    assert representations.growth(2) < 2 < 2.9 < representations.growth(3) < 3
    errors = representations.indicator_errors(representations.Indicators(3, (8,), 30, 2, unlabeled=500), RT, 0)
    assert errors.shape == (2, 2) and errors[1].max() < 0.05 < errors[0].min()
