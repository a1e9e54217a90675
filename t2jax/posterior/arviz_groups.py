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
    """Collects data sets by group as ArviZ's `InferenceData`, or from ArviZ 1 on as xarray's `DataTree`."""
    import xarray  # slow to load

    kind = vars(arviz()).get("InferenceData")  # not by getattr, at which ArviZ 1 warns
    return xarray.DataTree.from_dict(dict(groups)) if kind is None else kind(**groups)


def sample_stats(drawn: Drawn) -> Any:
    """Returns the statistics of the sampler at each draw as an xarray data set (chain, draw), under ArviZ's names."""
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
    return xarray.Dataset({name: (("chain", "draw"), values) for name, values in stats.items()}, coords=position)


def names_of_runs(table: Table) -> list[str]:
    """Returns the name of each run: its `model`, or its params and tokens, or its compute alone."""
    first = np.unique(table.runs(), return_index=True)[1]
    if "model" in table:
        return [str(model) for model in table["model"][first]]
    if not table.has_sizes:
        return [f"compute={compute:.6g}" for compute in table["compute"][first]]
    sizes = zip(table["params"][first], table["tokens"][first], strict=True)
    return [f"params={params:.6g} tokens={tokens:.6g}" for params, tokens in sizes]


def sample_groups(
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

    def dataset(arrays: Mapping[str, np.ndarray], length: int, count: int) -> Any:
        variables = {
            name: (axes, array, {"units": declared[name].unit, "doc": declared[name].doc})
            for name, array in arrays.items()
        }
        return xarray.Dataset(variables, coords={"chain": np.arange(count), "draw": np.arange(length)})

    position = {"chain": np.arange(chains), "draw": np.arange(draws)}
    return {
        "posterior": dataset(values, draws, chains),
        "sample_stats": sample_stats(drawn),
        "log_likelihood": xarray.Dataset(
            {measured: ((*axes, units[0]), drawn.log_likelihood)},
            coords={**position, units[0]: units[1]},
        ),
        "prior": dataset({name: array[None] for name, array in prior.items()}, PRIOR_DRAWS, 1),
    }


def arviz() -> Any:
    """Imports ArviZ, which is slow, and ignores the warning with which generation 0.23 announces its successor."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import arviz

    return arviz
