"""Draws as the groups of ArviZ's inference data."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from t2jax.noise.by_unit import LeftOutUnit
from t2jax.posterior.chains import Drawn
from t2jax.posterior.density import Density
from t2jax.tables.table import Table

PRIOR_DRAWS = 4000


def inference_data(groups: Mapping[str, Any]) -> Any:
    """Data sets by group as ArviZ holds them: `InferenceData`, or from ArviZ 1 on xarray's `DataTree`."""
    import xarray  # slow to load

    kind = vars(arviz()).get("InferenceData")  # not by getattr, at which ArviZ 1 warns
    return xarray.DataTree.from_dict(dict(groups)) if kind is None else kind(**groups)


def sample_stats(drawn: Drawn) -> Any:
    """How the sampler fared at each draw, by the names that ArviZ knows: an xarray data set (chain, draw)."""
    import xarray  # slow to load

    stats = {
        "lp": drawn.lp,
        "diverging": drawn.diverging,
        "energy": drawn.energy,
        "n_steps": drawn.n_steps,
        "tree_depth": np.ceil(np.log2(drawn.n_steps + 1)).astype(int),
        "acceptance_rate": drawn.acceptance_rate,
        "step_size": drawn.step_size,
    }
    chains, draws = drawn.lp.shape
    position = {"chain": np.arange(chains), "draw": np.arange(draws)}
    return xarray.Dataset({name: (("chain", "draw"), one) for name, one in stats.items()}, coords=position)


def names_of_runs(table: Table) -> list[str]:
    """What each run is called: its `model`, or its params and tokens."""
    first = np.unique(table.runs(), return_index=True)[1]
    if "model" in table:
        return [str(one) for one in table["model"][first]]
    sizes = zip(table["params"][first], table["tokens"][first], strict=True)
    return [f"params={params:.6g} tokens={tokens:.6g}" for params, tokens in sizes]


def _groups(
    target: Density,
    values: dict[str, np.ndarray],
    drawn: Drawn,
    prior: dict[str, np.ndarray],
    measured: str,
    units: tuple[LeftOutUnit, list[str]],
) -> dict[str, Any]:
    import xarray

    declared = dict(target.coordinates.declared)
    chains, draws = drawn.lp.shape
    axes = ("chain", "draw")

    def named(of: Mapping[str, np.ndarray], length: int, count: int) -> Any:
        held = {
            name: (axes, one, {"units": declared[name].unit, "doc": declared[name].doc}) for name, one in of.items()
        }
        return xarray.Dataset(held, coords={"chain": np.arange(count), "draw": np.arange(length)})

    position = {"chain": np.arange(chains), "draw": np.arange(draws)}
    return {
        "posterior": named(values, draws, chains),
        "sample_stats": sample_stats(drawn),
        "log_likelihood": xarray.Dataset(
            {measured: ((*axes, units[0]), drawn.log_likelihood)},
            coords={**position, units[0]: units[1]},
        ),
        "prior": named({name: one[None] for name, one in prior.items()}, PRIOR_DRAWS, 1),
    }


def arviz() -> Any:
    """ArviZ, which is slow to load; generation 0.23 announces its successor at import, which is no news here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import arviz

    return arviz
