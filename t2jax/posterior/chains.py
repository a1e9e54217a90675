"""Chains of the No-U-Turn sampler: their starts, their scale and their steps.

Chains move in z with u = mode + scale·z. Here scale·scaleᵀ is the inverse curvature of the density at its mode.
The curvature is the mass matrix, so z is nearly standard normal if the posterior is nearly Gaussian.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from t2jax.numerics.programs.devices import spread_over
from t2jax.numerics.solvers.damped_newton import minimise
from t2jax.tables.measurements import Measurements
from t2jax.typing import Array, Float, Int

CHUNK = 100
DENSE = 30
"""Largest number of coordinates for which the warm-up learns correlations too. More coordinates need too many draws,
and the curvature removes most correlations except those with latent coordinates."""
RIVAL = 10.0  # nats below the best mode: another mode within them may have a relevant share of the posterior
LEAST_CURVATURE = 1e-4  # replaces smaller or negative curvatures, for a scale of at most 100


class Target(Protocol):
    """Density to sample: a pytree with a potential over coordinates u (free,), such as `Density`.

    The last `latent` coordinates are standard normal a priori. They are zero in a shorter u, as in the search for the
    mode: the mode of many latent coordinates is far from the mass of the posterior.
    """

    @property
    def latent(self) -> int: ...

    def rows(self, data: Measurements) -> Any:
        """Returns what the potential reads of the data."""
        ...

    def starts(self, rows: Any, count: int, key: Array) -> Float[Array, "count free"]:
        """Returns coordinates from which modes are searched."""
        ...

    def potential(self, u: Float[Array, " free"], /, rows: Any) -> Array:
        """Computes minus the log density at u, up to a constant."""
        ...

    def row_log_likelihood(self, u: Float[Array, " free"], /, data: Measurements) -> Float[Array, " rows"]:
        """Computes the log-likelihood of each row of the table at u, times its weight."""
        ...

    def values(self, u: Float[Array, " free"], /) -> dict[str, Array]:
        """Returns the values of a draw by name."""
        ...


class Mode(NamedTuple):
    """Optimum of the density.

    Attributes:
        u: Coordinates, shape (free,).
        value: Potential at `u`.
        scale: Scale of the chains, shape (free, free).
        converged: Whether the solver reached the optimum.
        agreement: Share of the starts that ended there.
    """

    u: Array
    value: Array
    scale: Array
    converged: Array
    agreement: Array


class Drawn(NamedTuple):
    """Draws (chains, draws): values by name, log-likelihood of each unit, and statistics of the sampler."""

    named: dict[str, Any]
    log_likelihood: Any
    lp: Any
    diverging: Any
    energy: Any
    n_steps: Any
    acceptance_rate: Any
    step_size: Any


@partial(jax.jit, static_argnames=("starts", "chains", "warmup", "accept"))
def initialise_chains(
    density: Target, data: Measurements, starts: int, chains: int, warmup: int, accept: float, key: Array
) -> tuple[Mode, Any]:
    """Minimises the potential from many starts, and gives each chain one of the nearly best modes.

    The chains then spread around their mode according to the curvature. Returns the best mode and the chains' states.
    """
    rows = density.rows(data)
    potential = partial(density.potential, rows=rows)
    draw_key, spread_key, chain_key = jax.random.split(key, 3)
    start_points = density.starts(rows, starts, draw_key)
    ends = jax.lax.map(partial(minimise, potential), start_points)
    finite = jnp.isfinite(ends.value) & jnp.isfinite(ends.hessian).all(axis=(1, 2))
    values = jnp.where(finite, ends.value, jnp.inf)
    best = jnp.argmin(values)
    u, value = ends.u[best], values[best]
    eigenvalues, axes = jnp.linalg.eigh(ends.hessian[best])
    root = jnp.sqrt(jnp.maximum(eigenvalues, LEAST_CURVATURE))
    scale = axes / root[None, :]
    whitened = (ends.u - u[None, :]) @ axes * root[None, :]
    centre = spread_starts(whitened, values <= value + RIVAL, best, chains)
    u, centre = jnp.pad(u, (0, density.latent)), jnp.pad(centre, ((0, 0), (0, density.latent)))
    scale = jax.scipy.linalg.block_diag(scale, jnp.eye(density.latent, dtype=scale.dtype))
    spread = centre + jax.random.normal(spread_key, centre.shape, centre.dtype)
    valid = jax.lax.map(lambda z: jnp.isfinite(potential(u + scale @ z)), spread)
    mode = Mode(u, value, scale, ends.converged[best], jnp.mean(values <= value + 1e-6 * jnp.abs(value) + 1e-9))
    kernel = _kernel(density, data, mode, accept)
    first_states = jnp.where(valid[:, None], spread, centre), jax.random.split(chain_key, chains)
    return mode, jax.lax.map(lambda pair: kernel.init(pair[1], warmup, pair[0]), first_states)


@partial(jax.jit, static_argnames=("runs", "warmup", "accept", "mesh"))
def advance_chains(
    density: Target,
    data: Measurements,
    mode: Mode,
    run: Int[Array, " rows"],
    states: Any,
    steps: Array,
    runs: int,
    warmup: int,
    accept: float,
    mesh: Mesh | None,
) -> tuple[Any, Drawn]:
    """Advances every chain by `steps` <= CHUNK draws, and returns the states and draws.

    Later entries of the draws are void. The first `warmup` steps of a chain adapt its step size and mass matrix.
    `run` is the run of each row, below `runs`.
    """

    def advance(states: Any) -> Any:
        kernel = _kernel(density, data, mode, accept)

        def read(state: Any) -> Drawn:
            u = mode.u + mode.scale @ state.z
            rows = density.row_log_likelihood(u, data)
            statistics = -state.potential_energy, state.diverging, state.energy, state.num_steps, state.accept_prob
            by_run = jax.ops.segment_sum(rows, run, num_segments=runs)
            return Drawn(density.values(u), by_run, *statistics, state.adapt_state.step_size)

        def advance_chain(state: Any) -> Any:
            kernel.init(state.rng_key, warmup, state.z)  # binds the kernel; the chain continues from its state

            def step(i: Array, carry: Any) -> Any:
                state = kernel.sample(carry[0], (), {})
                return state, jax.tree.map(lambda stored, new: stored.at[i].set(new), carry[1], read(state))

            empty = jax.tree.map(lambda leaf: jnp.zeros((CHUNK, *leaf.shape), leaf.dtype), jax.eval_shape(read, state))
            return jax.lax.fori_loop(0, steps, step, (state, empty))

        # On a CPU, parallel chains wait for the longest tree and lose their branches:
        # 0.4 s against 0.7 s for 4 chains of 1300 steps on chinchilla-epoch, and half the time to compile.
        batch_size = None if jax.default_backend() == "cpu" else len(states.z)
        return jax.lax.map(advance_chain, states, batch_size=batch_size)

    return spread_over(mesh, advance, states)


def draw_all(
    density: Target,
    data: Measurements,
    mode: Mode,
    run: Int[np.ndarray, " rows"],
    states: Any,
    warmup: int,
    draws: int,
    accept: float,
    mesh: Mesh | None,
    progress: Callable[[int], object] | None,
) -> Drawn:
    """Warms up and draws from the states of `initialise_chains`, a chunk at a time, as NumPy arrays.

    `progress` is called with the steps since its last call. After an interrupt (KeyboardInterrupt) the draws so far are
    returned. Without any draws it is raised.
    """
    runs = int(run.max()) + 1
    parts: list[Drawn] = []
    try:
        for steps, is_draw in _chunks(warmup, draws):
            states, drawn = advance_chains(density, data, mode, run, states, steps, runs, warmup, accept, mesh)
            drawn = jax.tree.map(lambda leaf, end=steps: np.asarray(leaf)[:, :end], drawn)
            parts += [drawn] if is_draw else []
            if progress is not None:
                progress(steps)
    except KeyboardInterrupt:
        if not parts:
            raise
    return jax.tree.map(lambda *leaves: np.concatenate(leaves, axis=1), *parts)


def _chunks(warmup: int, draws: int) -> list[tuple[int, bool]]:
    """Splits warm-up and draws into chunks, and returns the steps of each and whether they are draws."""
    return [
        (min(CHUNK, total - start), is_draw)
        for total, is_draw in ((warmup, False), (draws, True))
        for start in range(0, total, CHUNK)
    ]


def spread_starts(
    ends: Float[Array, "ends free"], rival: Array, best: Array, chains: int
) -> Float[Array, "chains free"]:
    """Selects one end for each chain: first the best, then each time the rival farthest from all selected ends."""
    chosen = [ends[best]]
    for _ in range(chains - 1):
        nearest = jnp.min(jnp.stack([jnp.sum((ends - point[None, :]) ** 2, axis=1) for point in chosen]), axis=0)
        chosen.append(ends[jnp.argmax(jnp.where(rival, nearest, -1.0))])
    return jnp.stack(chosen)


def _kernel(density: Target, data: Measurements, mode: Mode, accept: float) -> Any:
    from numpyro.infer import NUTS  # slow to load, and only needed to sample

    rows = density.rows(data)

    def potential(z: Float[Array, " free"]) -> Array:
        return density.potential(mode.u + mode.scale @ z, rows)

    return NUTS(potential_fn=potential, dense_mass=mode.u.size <= DENSE, target_accept_prob=accept)
