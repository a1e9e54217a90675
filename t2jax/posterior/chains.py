"""Chains of the No-U-Turn sampler: where they start, how they are scaled, and how they go on.

They move in z with u = mode + scale·z, where scale·scaleᵀ is the inverse curvature of the density at its mode: the
curvature is the mass matrix, and where the posterior is nearly Gaussian z is nearly standard normal.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from t2jax.numerics.damped_newton import minimise
from t2jax.tables.measurements import Measurements
from t2jax.typing import Array, Float, Int

CHUNK = 100
DENSE = 30
"""Up to how many coordinates the warm-up learns correlations too. It takes many draws to tell those of more from none,
and the curvature has taken most of them away, but for those with latent coordinates."""
RIVAL = 10.0  # nats below the best mode at which another one may still hold a share of the posterior worth a chain
LEAST_CURVATURE = 1e-4  # a direction in which the mode bends less (or up) is given this: a scale of 100


class Target(Protocol):
    """What is sampled: a pytree that knows its potential over coordinates u (free,), as `Density` does.

    latent: how many of these, the last ones, are standard normal a priori and taken as zero where u is without them, as
    it is while the mode is sought: that of many latent coordinates is far from where the posterior has its mass.
    """

    @property
    def latent(self) -> int: ...

    def rows(self, data: Measurements) -> Any:
        """What the potential reads of the data."""
        ...

    def starts(self, rows: Any, count: int, key: Array) -> Float[Array, "count free"]:
        """Coordinates from which modes are searched."""
        ...

    def potential(self, u: Float[Array, " free"], /, rows: Any) -> Array:
        """Minus the log of the density at u, up to a constant."""
        ...

    def row_log_likelihood(self, u: Float[Array, " free"], /, data: Measurements) -> Float[Array, " rows"]:
        """The log-likelihood of each row of the table at u, times its weight."""
        ...

    def values(self, u: Float[Array, " free"], /) -> dict[str, Array]:
        """What is kept of a draw, by name."""
        ...


class Mode(NamedTuple):
    """The optimum of the density: u and its potential, and scale (free, free).

    converged: whether the solver reached it. agreement: share of its starts that ended there.
    """

    u: Array
    value: Array
    scale: Array
    converged: Array
    agreement: Array


class Drawn(NamedTuple):
    """Draws with leading axes (chains, draws): named values, log-likelihood of each unit, and how the sampler fared."""

    named: dict[str, Any]
    log_likelihood: Any
    lp: Any
    diverging: Any
    energy: Any
    n_steps: Any
    acceptance_rate: Any
    step_size: Any


@partial(jax.jit, static_argnames=("starts", "chains", "warmup", "accept"))
def begin(
    density: Target, data: Measurements, starts: int, chains: int, warmup: int, accept: float, key: Array
) -> tuple[Mode, Any]:
    """Minimise the potential from many starts; give each chain one of the modes that are nearly as good as the best.

    Chains are then spread around it as the curvature says. Returns the best mode and the chains' states.
    """
    rows = density.rows(data)
    potential = partial(density.potential, rows=rows)
    draw_key, spread_key, chain_key = jax.random.split(key, 3)
    begun = density.starts(rows, starts, draw_key)
    ends = jax.lax.map(partial(minimise, potential), begun)
    known = jnp.isfinite(ends.value) & jnp.isfinite(ends.hessian).all(axis=(1, 2))
    reached = jnp.where(known, ends.value, jnp.inf)
    best = jnp.argmin(reached)
    u, value = ends.u[best], reached[best]
    eigenvalues, axes = jnp.linalg.eigh(ends.hessian[best])
    root = jnp.sqrt(jnp.maximum(eigenvalues, LEAST_CURVATURE))
    scale = axes / root[None, :]
    whitened = (ends.u - u[None, :]) @ axes * root[None, :]
    centre = apart(whitened, reached <= value + RIVAL, best, chains)
    u, centre = jnp.pad(u, (0, density.latent)), jnp.pad(centre, ((0, 0), (0, density.latent)))
    scale = jax.scipy.linalg.block_diag(scale, jnp.eye(density.latent, dtype=scale.dtype))
    spread = centre + jax.random.normal(spread_key, centre.shape, centre.dtype)
    sound = jax.lax.map(lambda z: jnp.isfinite(potential(u + scale @ z)), spread)
    mode = Mode(u, value, scale, ends.converged[best], jnp.mean(reached <= value + 1e-6 * jnp.abs(value) + 1e-9))
    kernel = _kernel(density, data, mode, accept)
    each = jnp.where(sound[:, None], spread, centre), jax.random.split(chain_key, chains)
    return mode, jax.lax.map(lambda one: kernel.init(one[1], warmup, one[0]), each)


@partial(jax.jit, static_argnames=("runs", "warmup", "accept"))
def go_on(
    density: Target,
    data: Measurements,
    mode: Mode,
    run: Int[Array, " rows"],
    states: Any,
    steps: Array,
    runs: int,
    warmup: int,
    accept: float,
) -> tuple[Any, Drawn]:
    """The next `steps` <= CHUNK draws of every chain, and the states after them; what lies beyond in Drawn is void.

    The first `warmup` steps of a chain adapt its step size and mass matrix. run: of each row, numbered below `runs`.
    """

    def advance(shared: Any, states: Any) -> Any:
        density, data, mode, run, steps = shared
        kernel = _kernel(density, data, mode, accept)

        def read(state: Any) -> Drawn:
            u = mode.u + mode.scale @ state.z
            rows = density.row_log_likelihood(u, data)
            told = -state.potential_energy, state.diverging, state.energy, state.num_steps, state.accept_prob
            by_run = jax.ops.segment_sum(rows, run, num_segments=runs)
            return Drawn(density.values(u), by_run, *told, state.adapt_state.step_size)

        def one(state: Any) -> Any:
            kernel.init(state.rng_key, warmup, state.z)  # binds the kernel; the chain goes on from its own state

            def step(i: Array, held: Any) -> Any:
                state = kernel.sample(held[0], (), {})
                return state, jax.tree.map(lambda kept, new: kept.at[i].set(new), held[1], read(state))

            empty = jax.tree.map(lambda leaf: jnp.zeros((CHUNK, *leaf.shape), leaf.dtype), jax.eval_shape(read, state))
            return jax.lax.fori_loop(0, steps, step, (state, empty))

        # A CPU gains nothing from chains side by side, which wait for the longest tree and lose their branches:
        # 0.4 s against 0.7 s for 4 chains of 1300 steps on chinchilla-epoch, and half the time to compile.
        together = None if jax.default_backend() == "cpu" else len(states.z)
        return jax.lax.map(one, states, batch_size=together)

    return _over_devices(advance, len(states.z))((density, data, mode, run, steps), states)


def draw_all(
    density: Target,
    data: Measurements,
    mode: Mode,
    run: Int[np.ndarray, " rows"],
    states: Any,
    warmup: int,
    draws: int,
    accept: float,
    progress: Callable[[int], object] | None,
) -> Drawn:
    """Warm up and draw from the states that `begin` made, a chunk at a time; arrays of NumPy.

    progress: called with the steps that every chain has made since the last call. After an interrupt
    (KeyboardInterrupt) what has been drawn is returned; where that is nothing it is raised.
    """
    runs = int(run.max()) + 1
    parts: list[Drawn] = []
    try:
        for steps, kept in _chunks(warmup, draws):
            states, drawn = go_on(density, data, mode, run, states, steps, runs, warmup, accept)
            drawn = jax.tree.map(lambda leaf, end=steps: np.asarray(leaf)[:, :end], drawn)
            parts += [drawn] if kept else []
            if progress is not None:
                progress(steps)
    except KeyboardInterrupt:
        if not parts:
            raise
    return jax.tree.map(lambda *leaves: np.concatenate(leaves, axis=1), *parts)


def _chunks(warmup: int, draws: int) -> list[tuple[int, bool]]:
    """How many steps to take at once, and whether they are draws."""
    return [
        (min(CHUNK, total - done), kept)
        for total, kept in ((warmup, False), (draws, True))
        for done in range(0, total, CHUNK)
    ]


def apart(ends: Float[Array, "ends free"], rival: Array, best: Array, chains: int) -> Float[Array, "chains free"]:
    """One end for each chain: first the best, then that rival of it which is farthest from all that are taken."""
    chosen = [ends[best]]
    for _ in range(chains - 1):
        nearest = jnp.min(jnp.stack([jnp.sum((ends - one[None, :]) ** 2, axis=1) for one in chosen]), axis=0)
        chosen.append(ends[jnp.argmax(jnp.where(rival, nearest, -1.0))])
    return jnp.stack(chosen)


def _over_devices(advance: Any, chains: int) -> Any:
    """A function of (shared, chains), with a leading chain axis in the second and in what it returns, on all devices.

    As many devices as divide the chains take a share each. With one device the function itself.
    """
    devices = jax.local_devices()
    count = max(n for n in range(1, len(devices) + 1) if chains % n == 0)
    if count == 1:
        return advance
    mesh = Mesh(devices[:count], ("chains",))
    along, shared = PartitionSpec("chains"), PartitionSpec()
    return jax.shard_map(advance, mesh=mesh, in_specs=(shared, along), out_specs=along, check_vma=False)


def _kernel(density: Target, data: Measurements, mode: Mode, accept: float) -> Any:
    from numpyro.infer import NUTS  # slow to load, and only needed to sample

    rows = density.rows(data)

    def potential(z: Float[Array, " free"]) -> Array:
        return density.potential(mode.u + mode.scale @ z, rows)

    return NUTS(potential_fn=potential, dense_mass=mode.u.size <= DENSE, target_accept_prob=accept)
