"""Priors of t2jax's own parameters, which become NumPyro distributions where one is needed.

To import NumPyro takes a third of a second, and a fit whose program is stored needs no more than medians and domains.
A law of the user's declares its parameters with NumPyro's distributions, which have the same names.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import astuple, dataclass, fields
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpyro.distributions import Distribution


@dataclass(frozen=True)
class Prior(ABC):
    """A prior that is NumPyro's distribution of the same name and the same numbers."""

    @property
    @abstractmethod
    def domain(self) -> tuple[float, float]:
        """Ends of the support."""

    @abstractmethod
    def quantiles(self, shares: np.ndarray) -> np.ndarray:
        """Computes quantiles at the given shares."""

    @cached_property
    def distribution(self) -> "Distribution":
        """NumPyro's distribution."""
        from numpyro import distributions  # slow to load

        family: Any = getattr(distributions, type(self).__name__)
        return family(*astuple(self))


@dataclass(frozen=True)
class Normal(Prior):
    """The normal distribution."""

    loc: float
    scale: float

    @property
    def domain(self) -> tuple[float, float]:
        return -math.inf, math.inf

    def quantiles(self, shares: np.ndarray) -> np.ndarray:
        return self.loc + self.scale * _normal_quantiles(shares)


@dataclass(frozen=True)
class LogNormal(Prior):
    """The distribution of a positive number whose log is normal."""

    loc: float
    scale: float

    @property
    def domain(self) -> tuple[float, float]:
        return 0.0, math.inf

    def quantiles(self, shares: np.ndarray) -> np.ndarray:
        return np.exp(self.loc + self.scale * _normal_quantiles(shares))


@dataclass(frozen=True)
class HalfNormal(Prior):
    """The distribution of the absolute value of a normal number around zero."""

    scale: float

    @property
    def domain(self) -> tuple[float, float]:
        return 0.0, math.inf

    def quantiles(self, shares: np.ndarray) -> np.ndarray:
        return self.scale * _normal_quantiles((1 + np.asarray(shares)) / 2)


@dataclass(frozen=True)
class Uniform(Prior):
    """The uniform distribution between two ends."""

    low: float
    high: float

    @property
    def domain(self) -> tuple[float, float]:
        return self.low, self.high

    def quantiles(self, shares: np.ndarray) -> np.ndarray:
        return self.low + np.asarray(shares) * (self.high - self.low)


FAMILIES = {family.__name__: family for family in (Normal, LogNormal, HalfNormal, Uniform)}


def plain(prior: "Prior | Distribution") -> Prior | None:
    """Returns a prior of this module with the same density, or None for a distribution of another family."""
    if isinstance(prior, Prior):
        return prior
    kind = type(prior)
    # a subclass, such as a truncated one, is another distribution and has another name or module
    family = FAMILIES.get(kind.__qualname__) if kind.__module__.startswith("numpyro.distributions.") else None
    if family is None:
        return None
    numbers = [getattr(prior, field.name) for field in fields(family)]
    return None if any(map(np.ndim, numbers)) else family(*map(float, numbers))


def _normal_quantiles(shares: np.ndarray) -> np.ndarray:
    """Computes quantiles of the standard normal distribution; those of SciPy take a fifth of a second to load."""
    quantile = NormalDist().inv_cdf

    def at(share: float) -> float:
        if share in (0.0, 1.0):
            return math.inf if share else -math.inf
        return quantile(share) if 0 < share < 1 else math.nan

    return np.vectorize(at, otypes=[float])(shares)
