"""The solvers: damped Newton, small dense algebra, and minimisation under linear inequalities, on known problems."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import optimize

from t2jax.numerics.solvers.damped_newton import damped_newton, minimise, minimise_each
from t2jax.numerics.solvers.feasible_point import find_feasible_point
from t2jax.numerics.solvers.implicit_derivative import differentiable
from t2jax.numerics.solvers.interior_point import best_of, first_of
from t2jax.numerics.solvers.small_linear_algebra import downhill, solve_positive


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def rosenbrock(u):
    return jnp.sum(100 * (u[1:] - u[:-1] ** 2) ** 2 + (1 - u[:-1]) ** 2)


def decay(u, t, y):
    """Half the squared errors of a sum of two exponentials with a floor: curved valleys, as in laws."""
    return 0.5 * jnp.sum((jnp.exp(u[0]) + jnp.exp(u[1] - jnp.exp(u[2]) * t) - y) ** 2)


def test_rosenbrock_from_everywhere():
    """All starts end at (1, 1, 1), the only minimum in three dimensions (Kok & Sandrock 2009), to 1e-8."""
    starts = jnp.asarray(np.random.default_rng(0).uniform(-3, 3, (50, 3)))
    ends = jax.jit(jax.vmap(partial(minimise, rosenbrock)))(starts)
    assert np.all(ends.converged) and np.max(np.abs(np.asarray(ends.u) - 1)) < 1e-8
    assert np.max(ends.value) < 1e-16 and np.all(np.asarray(ends.steps) < 200)


def test_least_squares_as_scipy():
    rng = np.random.default_rng(1)
    t = jnp.asarray(np.linspace(0, 5, 30))
    y = 0.4 + 2.0 * np.exp(-0.9 * np.asarray(t)) + 0.01 * rng.normal(size=30)
    result = jax.jit(lambda u: minimise(lambda u: decay(u, t, y), u))(jnp.array([-1.0, 0.0, -1.0]))

    def residuals(u):
        return np.exp(u[0]) + np.exp(u[1] - np.exp(u[2]) * np.asarray(t)) - y

    expected = optimize.least_squares(residuals, [-1.0, 0.0, -1.0], method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15)
    assert result.converged
    np.testing.assert_allclose(result.u, expected.x, rtol=1e-7)
    assert float(result.value) == pytest.approx(expected.cost, rel=1e-12)


def test_failures_are_data():
    """A value that is not finite, an objective without minimum: no exception, and not converged."""
    assert not minimise(lambda u: jnp.sum(jnp.sqrt(u)), jnp.array([-1.0, 1.0])).converged
    assert not minimise(lambda u: jnp.sum(u) * jnp.nan, jnp.array([1.0, 1.0])).converged
    assert not minimise(lambda u: -jnp.sum(jnp.exp(u)), jnp.array([1.0, 1.0])).converged


def test_in_float32():
    with jax.enable_x64(False):
        single = minimise(rosenbrock, jnp.array([-1.2, 1.0]))
        assert single.u.dtype == jnp.float32 and single.converged
        np.testing.assert_allclose(single.u, 1.0, atol=1e-3)


def test_many_problems_from_one_start():
    """Problems that take different numbers of steps share lanes, and each ends where it would alone."""
    scales = jnp.asarray(np.random.default_rng(2).uniform(-2, 2, (40, 2)))

    def objective(u, scale):
        return rosenbrock(u - scale) + 0.1 * jnp.sum(scale**2)

    ends = jax.jit(lambda scales: minimise_each(objective, jnp.array([-1.2, 1.0]), scales, lanes=7))(scales)
    assert np.all(ends.converged) and len(np.unique(ends.steps)) > 3
    np.testing.assert_allclose(ends.u, 1 + scales, atol=1e-7)
    np.testing.assert_allclose(ends.value, 0.1 * np.sum(np.asarray(scales) ** 2, axis=1), rtol=1e-9, atol=1e-15)


def test_is_an_optax_transformation():
    """A quadratic is solved by one update without damping: u - H⁻¹ g."""
    matrix, centre = jnp.array([[3.0, 1.0], [1.0, 2.0]]), jnp.array([0.7, -0.4])

    def objective(u):
        return 0.5 * (u - centre) @ matrix @ (u - centre) + 1.0

    method = damped_newton(initial_damping=1e-12)
    assert isinstance(method, optax.GradientTransformationExtraArgs)
    u = jnp.array([5.0, 5.0])
    update = jax.jit(partial(method.update, value_fn=objective))
    updates, _ = update(jax.grad(objective)(u), method.init(u), u, value=objective(u), hessian=matrix)
    np.testing.assert_allclose(u + updates, centre, atol=1e-9)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_solve_positive(n):
    rng = np.random.default_rng(n)
    root = rng.normal(size=(20, n, n))
    matrices, vectors = root @ root.transpose(0, 2, 1) + 0.1 * np.eye(n), rng.normal(size=(20, n))
    result = jax.vmap(solve_positive)(jnp.asarray(matrices), jnp.asarray(vectors))
    np.testing.assert_allclose(result, np.linalg.solve(matrices, vectors[..., None])[..., 0], rtol=1e-9, atol=1e-10)
    indefinite = jnp.asarray(matrices[0] - 2 * np.linalg.eigvalsh(matrices[0])[0] * np.eye(n))
    assert np.all(np.isnan(solve_positive(indefinite, jnp.asarray(vectors[0]))))


def test_downhill_is_newton_where_that_goes_down_and_shifted_elsewhere():
    """Positive definite: the Newton step. Saddle diag(-1, 2): a shift of 10, or none where the rest makes up for it."""
    eye, saddle, slope = jnp.eye(2), jnp.diag(jnp.array([-1.0, 2.0])), jnp.array([1.0, -4.0])
    np.testing.assert_allclose(downhill(2 * eye, eye, slope), -slope / 3, rtol=1e-12)
    np.testing.assert_allclose(downhill(saddle, 3 * eye, slope), -slope / jnp.array([2.0, 5.0]), rtol=1e-12)
    np.testing.assert_allclose(downhill(saddle, 0 * eye, slope), -slope / jnp.array([1.0, 4.0]), rtol=1e-12)


def distance(problem, x):
    return 0.5 * jnp.sum((x - problem[0]) ** 2)


def box(problem, x):
    return x - problem[1]


def nearest(centre, b):
    theta, start = (centre, b), jnp.full((1, 3), -4.0)
    return differentiable(distance, box, theta, first_of(distance, box, jax.lax.stop_gradient(theta), start))


def test_nearest_point_of_a_box():
    """min ½|x-c|² under x <= b is min(c, b) with multipliers max(c-b, 0); all its derivatives are 0 or 1."""
    centres = np.random.default_rng(0).normal(size=(30, 3))
    b = np.array([0.3, 0.0, -0.2])
    result = jax.jit(jax.vmap(nearest, in_axes=(0, None)))(jnp.asarray(centres), jnp.asarray(b))
    np.testing.assert_allclose(result.x, np.minimum(centres, b), atol=1e-12)
    np.testing.assert_allclose(result.multipliers, np.maximum(centres - b, 0), atol=1e-9)
    np.testing.assert_array_equal(result.active, centres > b)
    np.testing.assert_allclose(
        result.value, 0.5 * np.sum(np.maximum(centres - b, 0) ** 2, axis=1), rtol=1e-9, atol=1e-15
    )
    assert np.max(result.kkt) < 1e-9

    def x_and_multipliers(centre, b):
        result = nearest(centre, b)
        return jnp.concatenate([result.x, result.multipliers])

    at_bound = (centres[0] > b).astype(float)
    assert 0 < at_bound.sum() < 3
    for jacobian in (jax.jacfwd, jax.jacrev):
        by_centre, by_b = jax.jit(jacobian(x_and_multipliers, argnums=(0, 1)))(jnp.asarray(centres[0]), jnp.asarray(b))
        np.testing.assert_allclose(by_centre, np.vstack([np.diag(1 - at_bound), np.diag(at_bound)]), atol=1e-9)
        np.testing.assert_allclose(by_b, np.vstack([np.diag(at_bound), -np.diag(at_bound)]), atol=1e-9)


def test_curved_objective_on_a_plane():
    """min Σ w_i exp(-x_i) under Σx <= b: x_i = log w_i + (b - Σ log w)/3, multiplier exp((Σ log w - b)/3)."""

    def falling(problem, x):
        return jnp.sum(problem[0] * jnp.exp(-x))

    def plane(problem, x):
        return jnp.sum(x)[None] - problem[1]

    def answer(weights, b):
        shift = (b - jnp.sum(jnp.log(weights))) / 3
        return jnp.concatenate([jnp.log(weights) + shift, jnp.exp(-shift)[None]])

    def ours(weights, b):
        theta = (weights, b)
        result = first_of(falling, plane, jax.lax.stop_gradient(theta), jnp.full((1, 3), -5.0))
        result = differentiable(falling, plane, theta, result)
        return jnp.concatenate([result.x, result.multipliers])

    weights, b = jnp.array([0.5, 2.0, 7.0]), jnp.asarray(1.3)
    np.testing.assert_allclose(jax.jit(ours)(weights, b), answer(weights, b), rtol=1e-11)
    first, second = (jax.jit(jax.jacfwd(f, argnums=(0, 1)))(weights, b) for f in (ours, answer))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-11), first, second)
    first, second = (jax.jit(jax.jacfwd(jax.jacrev(f)))(weights, b) for f in (ours, answer))
    np.testing.assert_allclose(first, second, rtol=1e-8, atol=1e-10)


def test_best_of_several_minima():
    """A double well in the first coordinate, tilted so that one side is deeper."""

    def wells(tilt, x):
        return (x[0] ** 2 - 1) ** 2 + tilt * x[0] + x[1] ** 2 + (x[2] - 0.5) ** 2

    def both_sides(tilt, x):
        return jnp.abs(x[:1]) - 2.0

    starts = jnp.array([[-1.5, 0.1, 0.1], [0.2, 0.1, 0.1], [1.5, 0.1, 0.1]])
    solve = jax.jit(lambda tilt: best_of(wells, both_sides, tilt, starts))
    for tilt in (0.2, -0.2):
        result = solve(jnp.asarray(tilt))
        roots = np.roots([4.0, 0.0, -4.0, tilt])
        best = min(roots.real, key=lambda x: (x**2 - 1) ** 2 + tilt * x)
        np.testing.assert_allclose(result.x, [best, 0.0, 0.5], atol=1e-8)
        assert not np.any(result.active) and result.kkt < 1e-9


def test_nearest_point_of_a_curved_set():
    """min x+y on the disc of radius r about c: c - r/√2 in both, multiplier √2/r, slope -1/√2 in r."""

    def total(problem, x):
        return jnp.sum(x)

    def disc(problem, x):
        return jnp.array([jnp.sum((x - problem[0]) ** 2) / 2, x[0] - 9.0]) - jnp.array([problem[1] ** 2 / 2, 0.0])

    def ours(radius):
        theta = (jnp.array([1.0, 2.0]), radius)
        begun = find_feasible_point(disc, jax.lax.stop_gradient(theta), jnp.array([-6.0, 8.0]))
        result = first_of(total, disc, jax.lax.stop_gradient(theta), begun.x[None])
        return differentiable(total, disc, theta, result), begun.worst

    def x(radius):
        return ours(radius)[0].x

    result, largest = jax.jit(ours)(jnp.asarray(0.5))
    np.testing.assert_allclose(result.x, np.array([1.0, 2.0]) - 0.5 / np.sqrt(2), rtol=1e-11)
    np.testing.assert_allclose(result.multipliers, [np.sqrt(2) / 0.5, 0.0], atol=1e-9)
    assert largest < 0 and result.kkt < 1e-11
    slope, bend = jax.jit(lambda r: (jax.jacfwd(x)(r), jax.jacfwd(jax.jacrev(x))(r)))(jnp.asarray(0.5))
    np.testing.assert_allclose(slope, -np.ones(2) / np.sqrt(2), rtol=1e-9)
    np.testing.assert_allclose(bend, 0.0, atol=1e-8)


def test_contradictory_limits_are_named_by_their_blame():
    """x <= -1, -x <= -1 and y <= 0: the first two cannot hold together and share the blame."""
    result = jax.jit(lambda x: find_feasible_point(lambda _, x: jnp.array([x[0] + 1, 1 - x[0], x[1]]), 0.0, x))(
        jnp.array([3.0, -1.0])
    )
    assert result.worst > 0.99
    np.testing.assert_allclose(result.blame, [0.5, 0.5, 0.0], atol=0.01)
