"""Starts of a fit: exponents from the priors, coefficients from a linear solve or at the size of the response.

For fixed exponents an additive law is linear in its coefficients. One small least-squares solve therefore completes a
draw of the exponents (variable projection, Golub & Pereyra 1973).
The draws form random groups, and the best of each group is a start. Such starts are good, yet spread out.
"""

import jax
import jax.numpy as jnp

from t2jax.laws.base import Law
from t2jax.laws.coordinates import Coordinates
from t2jax.laws.parameter import Param
from t2jax.laws.priors import LogNormal, Normal, plain
from t2jax.noise.protocol import Rows
from t2jax.numerics.solvers.small_linear_algebra import solve_positive
from t2jax.typing import Array, Float


def draw(
    law: type[Law], coordinates: Coordinates, rows: Rows, count: int, key: Array, scale_keys: Array
) -> Float[Array, "count free"]:
    """Draws `count` random points in coordinates, shape (count, free).

    Coefficients have centred sizes within a factor e of half the losses. All other parameters are drawn from their
    priors, and the scales of the noise have keys of their own, (scales,).
    If the law is linear in coefficients that the response can determine, a linear solve replaces their draws.
    A non-positive solution becomes a thousandth of the response. A solution outside the parameter's domain is dropped,
    and the draw remains.
    """
    declared, of_law = dict(coordinates.declared), coordinates.only(law.declared())
    has_weight = rows["weight"] > 0 if "weight" in rows else jnp.ones((), bool)
    keys = (*jax.random.split(key, len(of_law.free)), *scale_keys)
    losses = next((rows[name] for name in ("neg_log_pass", "loss") if name in rows), jnp.ones(1))
    log_half_loss = jnp.log(0.5 * jnp.nanmedian(jnp.where(has_weight, losses, jnp.nan)))
    standard = jax.vmap(lambda key: jax.random.normal(key, (count,)))(jnp.stack(keys))  # at once: compiled once
    columns = []
    for name, parameter_key, normal in zip(coordinates.free, keys, standard, strict=True):
        if declared[name].power:
            columns.append(log_half_loss + normal)
        else:
            columns.append(declared[name].unconstrain(_sample_prior(declared[name], normal, parameter_key)))
    u = jnp.stack(columns, axis=1)
    response = next((name for name in law.response if name in rows), None)
    solvable = tuple(name for name in law.linear if name in coordinates.free)
    if not solvable or response is None:
        return u
    u, scales = u[:, : len(of_law.free)], u[:, len(of_law.free) :]
    solved = jax.vmap(lambda draw_u: _project(law, of_law, rows, rows[response], solvable, draw_u))(u)
    return jnp.concatenate([jnp.where(jnp.isfinite(solved), solved, u), scales], axis=1)


def _sample_prior(parameter: Param, normal: Array, key: Array) -> Array:
    """Draws values of one parameter from its prior, shape (count,).

    The draws are a function of the standard normal ones if the prior is (log-)normal. Otherwise they use the key.
    """
    prior = plain(parameter.given)
    if isinstance(prior, Normal):
        return prior.loc + prior.scale * normal
    if isinstance(prior, LogNormal):
        return jnp.exp(prior.loc + prior.scale * normal)
    return jnp.asarray(parameter.prior.sample(key, normal.shape))


def keep_best(
    values: Float[Array, " count"], draws: Float[Array, "count free"], groups: int
) -> Float[Array, "groups free"]:
    """Returns the draw of lowest value in each of `groups` equal groups."""
    grouped = jnp.where(jnp.isfinite(values), values, jnp.inf).reshape(groups, -1)
    best = jnp.argmin(grouped, axis=1)
    return draws.reshape(groups, -1, draws.shape[1])[jnp.arange(groups), best]


def _project(
    law: type[Law], coordinates: Coordinates, rows: Rows, observed: Array, names: tuple[str, ...], u: Array
) -> Array:
    """Replaces the coefficients `names` of a draw by their weighted least-squares solution."""
    values = coordinates.values(u)

    def predict(linear: Array) -> Array:
        return law(**(values | {name: linear[i] * values[name] for i, name in enumerate(names)})).predict(rows)

    origin = predict(jnp.zeros(len(names), u.dtype))
    basis = jax.vmap(predict)(jnp.eye(len(names), dtype=u.dtype)).T - origin[:, None]
    # rows without weight are not part of the fit, so they must not determine its starts
    weight = rows["weight"] if "weight" in rows else jnp.ones(len(observed), u.dtype)
    has_weight = weight > 0
    count = jnp.sum(has_weight, dtype=u.dtype)
    root = jnp.sqrt(weight * count / jnp.sum(weight))
    median = jnp.nanmedian(jnp.where(has_weight, observed, jnp.nan))
    size = jnp.where(observed > 0, observed, median)  # errors are relative to positive responses
    weighted = root[:, None] * basis / size[:, None]
    scale = jnp.sqrt(jnp.sum(weighted**2, axis=0) / count) + jnp.finfo(u.dtype).tiny
    scaled = weighted / scale[None, :]
    ridge = jnp.maximum(1e-9, 10 * jnp.finfo(u.dtype).eps) * count
    gram = scaled.T @ scaled + ridge * jnp.eye(len(names), dtype=u.dtype)
    target = scaled.T @ (root * (observed - origin) / size)
    solved = jnp.maximum(solve_positive(gram, target), 1e-3) / scale
    return coordinates.unconstrain(values | {name: solved[i] * values[name] for i, name in enumerate(names)})
