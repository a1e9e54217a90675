"""Where an allocation lies that spends all it may: one balance in log N between what a larger model gains and costs.

For given N a law that falls in D and k is least with all the tokens and samples that the budgets leave, so the problem
has one unknown. What comes out is a guess, for `interior.first_of` to certify: a law that rises in D or k, or is
not convex, may have its optimum elsewhere.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from t2jax.typing import Array, Float


def balanced(cost: Callable[[Array], Array], b: Float[Array, " limits"], size: int) -> Float[Array, " size"]:
    """(log N, log D, log k)[:size] at which d cost/d log N vanishes along the budgets b, or the end nearest to it.

    b: log limits of ND, 1/N, N, 1/D, D and Nk. Newton's method on the log of (gain of N)/(gain of D and k): for sums of
    power laws it is concave and nearly linear in log N, so a handful of steps do from anywhere. Where a gain is
    negative there is no log and the guess is NaN.
    """
    pairs, least, most, longest, served = b[0], -b[1], b[2], b[4], b[5]
    high = jnp.minimum(jnp.minimum(most, pairs), served)
    gains_at = jax.grad(lambda x: -cost(x))

    def at(n: Array) -> Array:
        return jnp.stack([n, jnp.minimum(pairs - n, longest), served - n][:size])

    # below this size there is compute for more tokens than there are: a larger model costs samples, but no tokens
    kink = jnp.clip(pairs - longest, least, high)
    gains = gains_at(at(kink))
    above, below = gains[0] > jnp.sum(gains[1:]), gains[0] < jnp.sum(gains[2:])
    low, high = jnp.where(below, least, kink), jnp.where(above, high, kink)
    given_up = jnp.stack([jnp.where(below, 0.0, 1.0).astype(b.dtype), jnp.ones_like(pairs)])[: size - 1]
    along = jnp.concatenate([jnp.ones_like(pairs)[None], -given_up])
    close = 10 * jnp.sqrt(jnp.finfo(b.dtype).eps)

    def newton(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        n, _, count = state
        gains, bend = jax.jvp(gains_at, (at(n),), (along,))
        lost = given_up @ gains[1:]
        slope = bend[0] / gains[0] - given_up @ bend[1:] / lost
        following = jnp.clip(n - jnp.log(gains[0] / lost) / slope, low, high)
        return following, jnp.abs(following - n), count + 1

    begin = (0.5 * (low + high), jnp.full_like(pairs, jnp.inf), jnp.zeros((), int))
    n, _, _ = jax.lax.while_loop(lambda state: (state[1] > close) & (state[2] < 30), newton, begin)
    return at(n)
