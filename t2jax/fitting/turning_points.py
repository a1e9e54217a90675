"""Where a fitted law of pass@k falls with more parameters or tokens, inside the measured range."""

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law
from t2jax.tables.table import Table
from t2jax.typing import Array
from t2jax.working_precision import scope

SAMPLES = (1.0, 10.0, 100.0, 1000.0, 10000.0)


def turning_points(law: Law, table: Table) -> str:
    """Writes a sentence on the measured (N, D) and the k at which pass@k falls fastest in N or D.

    It checks every (params, tokens) of the table at k = 1, 10, ..., 1e4. The text is empty if pass@k falls nowhere, or
    the law is not one of pass@k.
    """
    if "pass_at_k" not in law.response or law.needed() != {"N", "D", "k"}:
        return ""
    runs = np.unique(np.stack([table["params"], table["tokens"]], axis=1), axis=0)
    with scope() as dtype:
        slopes = np.asarray(_slopes(law, jnp.asarray(np.log(runs), dtype), jnp.asarray(SAMPLES, dtype)))
    sentences = []
    for axis, name in enumerate(("params", "tokens")):
        worst = np.unravel_index(np.argmin(slopes[..., axis]), slopes.shape[:2])
        if slopes[(*worst, axis)] < -1e-9:
            count = int((slopes[..., axis] < -1e-9).any(axis=1).sum())
            sentences.append(
                f"pass@k falls with more {name} at {count} of {len(runs)} measured (params, tokens), fastest at "
                f"params={runs[worst[0], 0]:.3g}, tokens={runs[worst[0], 1]:.3g}, k={SAMPLES[worst[1]]:g}"
            )
    return "; ".join(sentences)


@jax.jit
def _slopes(law: Law, logs: Array, samples: Array) -> Array:
    """Computes the derivatives of log pass@k by log N and log D, at each run and k."""

    def value(point: Array, k: Array) -> Array:
        return -law.cost(N=jnp.exp(point[0]), D=jnp.exp(point[1]), k=k)

    slope = jax.grad(value)
    return jax.vmap(lambda point: jax.vmap(lambda k: slope(point, k))(samples))(logs)
