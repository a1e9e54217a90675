"""Where fits start: exponents drawn from the priors, coefficients solved for or drawn at the size of the response.

For fixed exponents an additive law is linear in its coefficients, so a draw of the exponents is completed by one small
least-squares solve (variable projection, Golub & Pereyra 1973). The best draw of each of several random groups is kept:
good starts, yet spread out.
"""

import jax
import jax.numpy as jnp
from numpyro.distributions import Distribution, LogNormal, Normal

from t2jax.laws.base import Law
from t2jax.laws.coordinates import Coordinates
from t2jax.noise.protocol import Rows
from t2jax.numerics.small_linear_algebra import solve_positive
from t2jax.typing import Array, Float


def draw(
    law: type[Law], coordinates: Coordinates, rows: Rows, count: int, key: Array, scale_keys: Array
) -> Float[Array, "count free"]:
    """`count` random coordinates. Coefficients have centred sizes within a factor e of half the losses.

    Everything else is drawn from its prior, the scales of the noise with keys of their own, (scales,). Where the law is
    linear in coefficients that the rows' response can determine, these are solved for. A non-positive solution becomes
    a thousandth of the response; one that is outside the parameter's domain leaves what was drawn.
    """
    declared, of_law = dict(coordinates.declared), coordinates.only(law.declared())
    there = rows["weight"] > 0 if "weight" in rows else jnp.ones((), bool)
    keys = (*jax.random.split(key, len(of_law.free)), *scale_keys)
    losses = next((rows[name] for name in ("neg_log_pass", "loss") if name in rows), jnp.ones(1))
    half = jnp.log(0.5 * jnp.nanmedian(jnp.where(there, losses, jnp.nan)))
    standard = jax.vmap(lambda key: jax.random.normal(key, (count,)))(jnp.stack(keys))  # at once: compiled once
    columns = []
    for name, parameter_key, normal in zip(coordinates.free, keys, standard, strict=True):
        if declared[name].power:
            columns.append(half + normal)
        else:
            columns.append(declared[name].unconstrain(_sample_prior(declared[name].prior, normal, parameter_key)))
    u = jnp.stack(columns, axis=1)
    response = next((name for name in law.response if name in rows), None)
    solvable = tuple(name for name in law.linear if name in coordinates.free)
    if not solvable or response is None:
        return u
    u, scales = u[:, : len(of_law.free)], u[:, len(of_law.free) :]
    solved = jax.vmap(lambda one: _project(law, of_law, rows, rows[response], solvable, one))(u)
    return jnp.concatenate([jnp.where(jnp.isfinite(solved), solved, u), scales], axis=1)


def _sample_prior(prior: Distribution, normal: Array, key: Array) -> Array:
    """Draws of a prior from standard normal ones where it is a function of them, else with the key."""
    if type(prior) is Normal:  # a subclass may be another distribution
        return jnp.asarray(prior.loc) + jnp.asarray(prior.scale) * normal
    if type(prior) is LogNormal:
        return jnp.exp(jnp.asarray(prior.loc) + jnp.asarray(prior.scale) * normal)
    return jnp.asarray(prior.sample(key, normal.shape))


def keep_best(
    values: Float[Array, " count"], draws: Float[Array, "count free"], kept: int
) -> Float[Array, "kept free"]:
    """The draw of lowest value in each of `kept` equal groups."""
    groups = jnp.where(jnp.isfinite(values), values, jnp.inf).reshape(kept, -1)
    best = jnp.argmin(groups, axis=1)
    return draws.reshape(kept, -1, draws.shape[1])[jnp.arange(kept), best]


def _project(
    law: type[Law], coordinates: Coordinates, rows: Rows, observed: Array, names: tuple[str, ...], u: Array
) -> Array:
    values = coordinates.values(u)

    def predict(linear: Array) -> Array:
        return law(**(values | {name: linear[i] * values[name] for i, name in enumerate(names)})).predict(rows)

    origin = predict(jnp.zeros(len(names), u.dtype))
    basis = jax.vmap(predict)(jnp.eye(len(names), dtype=u.dtype)).T - origin[:, None]
    # rows of next to no weight are left out of the fit, and may not tell its starts what it does not determine
    weight = rows["weight"] if "weight" in rows else jnp.ones(len(observed), u.dtype)
    there = weight > 0
    count = jnp.sum(there, dtype=u.dtype)
    root = jnp.sqrt(weight * count / jnp.sum(weight))
    middle = jnp.nanmedian(jnp.where(there, observed, jnp.nan))
    size = jnp.where(observed > 0, observed, middle)  # relative errors, where there is anything to err by
    weighted = root[:, None] * basis / size[:, None]
    scale = jnp.sqrt(jnp.sum(weighted**2, axis=0) / count) + jnp.finfo(u.dtype).tiny
    scaled = weighted / scale[None, :]
    ridge = jnp.maximum(1e-9, 10 * jnp.finfo(u.dtype).eps) * count
    normal = scaled.T @ scaled + ridge * jnp.eye(len(names), dtype=u.dtype)
    target = scaled.T @ (root * (observed - origin) / size)
    solved = jnp.maximum(solve_positive(normal, target), 1e-3) / scale
    return coordinates.unconstrain(values | {name: solved[i] * values[name] for i, name in enumerate(names)})
