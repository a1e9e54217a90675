"""Posterior probabilities of the scales of a discrepancy, against a fine grid of dense Gaussians."""

import numpy as np

from t2jax.noise.smooth import scales
from t2jax.noise.smooth.kernel import DECADE, Kernel
from t2jax.noise.smooth.scales import LinearModel, ScalePrior, weigh_nodes

PRIOR = ScalePrior()


def test_amplitudes_between_the_points_of_the_grid_are_averaged_over(monkeypatch):
    """Many rows know the amplitude to a tenth, but the points of the grid are a factor of two apart.

    Each length has the amplitude of two decades times its own length over two decades, a priori.
    """
    rng = np.random.default_rng(5)
    places, rows = rng.uniform(0, 9, (80, 2)), 80
    kernels = [Kernel(length * DECADE) for length in (1.0, 2.0)]
    correlation = [kernel.between(places, places) for kernel in kernels]
    smooth = np.linalg.cholesky(correlation[0] + 1e-9 * np.eye(rows)) @ rng.standard_normal(rows)
    residual = 0.0145 * smooth + 0.0022 * rng.standard_normal(rows)
    model = LinearModel(residual, np.ones((rows, 1)), np.ones(rows), np.array([0.5]))
    spectra = [kernel.spectrum(places, np.arange(rows), np.ones(rows)) for kernel in kernels]
    monkeypatch.setattr(scales, "KEPT", 0.9999)
    monkeypatch.setattr(scales, "MOST_NODES", 1000)
    nodes = weigh_nodes(model, spectra, PRIOR, 0.01)

    amplitudes, errors = 0.0145 * np.exp(np.linspace(-0.8, 1.6, 25)), 0.0022 * np.exp(np.linspace(-0.8, 0.8, 25))
    log_weight = np.empty((2, 25, 25))
    for i, (kernel, smooth) in enumerate(zip(kernels, correlation, strict=True)):
        squares = amplitudes[:, None] ** 2, errors**2
        dense = squares[0][..., None, None] * smooth + squares[1][:, None, None] * np.eye(rows) + 0.25
        solved = np.linalg.solve(dense, np.broadcast_to(residual, dense.shape[:3])[..., None])[..., 0]
        size = solved @ residual
        usual = PRIOR.amplitude * kernel.length / (2 * DECADE)
        prior = -0.5 * (np.log(amplitudes / usual) / PRIOR.amplitude_spread)[:, None] ** 2
        log_weight[i] = prior - 0.5 * (size + np.linalg.slogdet(dense)[1])
    log_weight -= 0.5 * (np.log(errors / PRIOR.noise) / PRIOR.noise_spread) ** 2
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    expected = np.sqrt(np.sum(weight * amplitudes[:, None] ** 2)), np.sqrt(np.sum(weight * errors**2))
    np.testing.assert_allclose(np.sqrt(nodes.weight @ nodes.amplitude**2), expected[0], rtol=0.02)
    np.testing.assert_allclose(np.sqrt(nodes.weight @ nodes.noise**2), expected[1], rtol=0.02)
    np.testing.assert_allclose(nodes.weight[nodes.kernel == 0].sum(), weight[0].sum(), atol=0.03)
