"""What a larger model gains at equal training compute, to compare with what samples gain."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import check_problem
from t2jax.typing import Array, ArrayLike
from t2jax.working_precision import scope

CRITERION = math.log(2)
"""Nats that twice the samples gain where success is rare: -log pass@k is about -log pass@1 - log k."""


@check_arguments
def marginal_rate(law: Law, params: ArrayLike, tokens: ArrayLike, answer_tokens: ArrayLike = 1.0) -> np.ndarray:
    """Computes how many nats of an answer's -log probability a model twice as large gains at equal training compute.

    The rate is -d cost/d log2 N along N·D = constant, at one sample: log 2·(D·∂cost/∂D - N·∂cost/∂N).
    At equal serving compute, half of N buys twice the samples, which gain log 2 = 0.693 nats where success is rare.
    So a larger model pays where the rate is above 0.693, and a smaller one with more samples where it is below.
    By the law L = E + A/N^α + B/D^β the rate is log 2·(α·A/N^α - β·B/D^β), and zero at Chinchilla's optimum.
    Answers of a few tokens have small rates, so the smallest model is best for them.
    Source: the small-p limit of pass@k = 1 - (1-p)^k under the budgets of Roberts et al. 2026 (2604.01411).

    Args:
        law: One law with values: of the loss in nats per token, or of pass@k.
        params: Number of parameters N, in a shape that broadcasts with the others.
        tokens: Number of training tokens D.
        answer_tokens: Length of the answer, for a law of the loss per token.

    Returns:
        Nats per doubling of N, in the common shape of the arguments.

    Raises:
        ValueError: The law does not read N and D, or reads more than these and k.

    Examples:
        >>> rate = t2.planning.marginal_rate(law, 1e8, 2e11, answer_tokens=np.array([1.0, 30.0]))
        >>> rate.round(3), (rate > np.log(2)).tolist()
        (array([0.149, 4.473]), [False, True])
    """
    check_problem(type(law), Budget(train=1.0))
    with scope() as dtype:
        law = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), law)
        n, d, length = np.broadcast_arrays(*(np.asarray(x, dtype) for x in (params, tokens, answer_tokens)))
        rates = _rates(law, jnp.log(n.ravel()), jnp.log(d.ravel()))
        return np.asarray(rates).reshape(n.shape) * length


@jax.jit
def _rates(law: Law, log_n: Array, log_d: Array) -> Array:
    def cost(shift: Array, log_n: Array, log_d: Array) -> Array:
        columns = {"params": jnp.exp(log_n + shift), "tokens": jnp.exp(log_d - shift), "samples": jnp.ones(())}
        return law.cost(**law.arguments(columns))

    zero = jnp.zeros((), log_n.dtype)
    return -CRITERION * jax.vmap(lambda n, d: jax.grad(cost)(zero, n, d))(log_n, log_d)
