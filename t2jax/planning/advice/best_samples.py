"""How many samples a selection is worth: the best number, and the number beyond which little is gained."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.printing import report
from t2jax.typing import Array
from t2jax.working_precision import scope

MOST = 1e6
POINTS = 181
ZOOMS = 3
FALLS = 1e-7
"""Success falls again if it ends below its highest value by more than this share."""
ENOUGH = 0.99


@dataclass(frozen=True, repr=False)
class BestSamples:
    """Result of `best_samples`.

    Attributes:
        samples: Number of samples with the highest success, a real number. It is infinite if success never falls.
        success: Success there, or with a million samples if it never falls.
        enough: Smallest number of samples with 99 % of the gain that is possible over one sample.
        single: Success of one sample.

    Examples:
        >>> t2.planning.BestSamples(samples=np.inf, success=0.8, enough=30.0, single=0.4).enough
        30.0
    """

    samples: float
    success: float
    enough: float
    single: float

    def __repr__(self) -> str:
        """Prints the numbers."""
        rows = {name: f"{getattr(self, name):.4g}" for name in ("samples", "success", "enough", "single")}
        return report("BestSamples", rows)


@check_arguments
def best_samples(law: Law, params: float, tokens: float) -> BestSamples:
    """Finds the number of samples with the highest success of a model, whatever samples cost.

    An oracle gains by every sample. A vote, or a verifier of a system that may give no answer, can lose by more of
    them (Stroebl et al. 2024, 2411.17501; Chen et al. 2024, 2403.02419). The search covers 1 to a million samples.

    Args:
        law: One law of pass@k with values and a selection, as from `t2.laws.select`.
        params: Number of parameters N.
        tokens: Number of training tokens D.

    Returns:
        The best number, its success, and the number that is enough.

    Raises:
        ValueError: The law does not predict pass@k by N, D and k.

    Examples:
        >>> loss = t2.laws.Chinchilla(E=0.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
        >>> oracle = t2.laws.T2PassK(loss=loss, theta0=1.0, theta1=2.0, theta2=0.9, theta3=1.0, theta4=0.0)
        >>> verifier = t2.laws.AbstainingVerifier(true_positive=0.9, false_positive=0.02, abstention=0.5)
        >>> best = t2.planning.best_samples(t2.laws.select(oracle, verifier), 1e9, 2e10)
        >>> round(best.samples), round(best.success, 3)
        (50, 0.906)
    """
    if type(law).inputs() != ("N", "D", "k") or type(law).response[0] != "pass_at_k":
        raise ValueError(f"best_samples needs a law of pass@k by N, D and k, not {type(law).__name__}")
    with scope() as dtype:
        law = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), law)

        def success_at(samples: np.ndarray) -> np.ndarray:
            return np.asarray(_success(law, jnp.asarray(params, dtype), jnp.asarray(tokens, dtype), samples))

        samples = np.geomspace(1.0, MOST, POINTS).astype(dtype)
        success = success_at(samples)
        enough = _first_with(samples, success, success[0] + ENOUGH * (success.max() - success[0]))
        if success[-1] >= success.max() * (1 - FALLS):
            return BestSamples(np.inf, float(success[-1]), enough, float(success[0]))
        single = float(success[0])
        for _ in range(ZOOMS):
            best = int(np.argmax(success))
            low, high = samples[max(best - 1, 0)], samples[min(best + 1, POINTS - 1)]
            samples = np.geomspace(low, high, POINTS).astype(dtype)
            success = success_at(samples)
    best = int(np.argmax(success))
    return BestSamples(float(samples[best]), float(success[best]), enough, single)


@jax.jit
def _success(law: Law, params: Array, tokens: Array, samples: Array) -> Array:
    return jax.vmap(lambda k: jnp.exp(-law.cost(params, tokens, k)))(samples)


def _first_with(samples: np.ndarray, success: np.ndarray, goal: float) -> float:
    """Interpolates the first number of samples with a success, along the log of samples."""
    at = int(np.argmax(success >= goal))
    if at == 0:
        return float(samples[0])
    share = (goal - success[at - 1]) / (success[at] - success[at - 1])
    return float(samples[at - 1] * (samples[at] / samples[at - 1]) ** share)
