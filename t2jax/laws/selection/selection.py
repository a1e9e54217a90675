"""The base class of selections, and the function that gives a law another selection."""

from typing import Any, ClassVar, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law, Part
from t2jax.numerics.beta_mean import mean_of_product, mean_over_beta, mean_with_ends, share
from t2jax.typing import Array, ArrayLike


class Selection(Law):
    """Base class of selections: which of k samples of a question a system returns.

    A selection is the part of a law that gives the success of the returned answer.
    The success probabilities p of single samples differ between questions and follow Beta(a, b).
    A selection is called with a, b and k. Fits measure p; deployment selects.
    A subclass declares its parameters and defines `gain`: success at one sample is p, so gains start at zero.

    Attributes:
        response: The success of the returned answer.

    Examples:
        >>> verifier = t2.laws.Verifier(true_positive=0.95, false_positive=0.02)
        >>> round(float(verifier(0.5, 2.0, 16.0)), 3)  # a mean of 0.2 at one sample
        0.634
    """

    response: ClassVar[tuple[str, ...]] = ("success",)

    def gain(self, p: Array, q: Array, k: Array) -> Array:
        """Computes the gain of a question over one sample, as a share of p(1-p): (success - p)/(p(1-p)).

        Args:
            p: Success probability of one sample, shape (nodes,).
            q: Its complement 1-p, shape (nodes,).
            k: Number of samples, a scalar.

        Returns:
            The share, shape (nodes,).

        Raises:
            NotImplementedError: The subclass defines its mean success in another way.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no gain")

    def stops(self, p: Array, q: Array, k: Array) -> Array:
        """Computes the mean number of samples drawn for a question, if the system stops at an accepted sample.

        Args:
            p: Success probability of one sample, shape (nodes,).
            q: Its complement 1-p, shape (nodes,).
            k: Largest number of samples, a scalar.

        Returns:
            The number, shape (nodes,).

        Raises:
            TypeError: The selection accepts no single sample, so it needs all k.
        """
        raise TypeError(f"{type(self).__name__} needs all samples before it picks one, so it cannot stop early")

    def __call__(self, a: ArrayLike, b: ArrayLike, k: ArrayLike) -> Array:
        return jnp.exp(-self.cost(a, b, k))

    def cost(self, a: ArrayLike, b: ArrayLike, k: ArrayLike) -> Array:
        return jnp.vectorize(self._cost)(*(jnp.asarray(x, float) for x in (a, b, k)))

    def expected_samples(self, a: ArrayLike, b: ArrayLike, k: ArrayLike) -> Array:
        def mean(a: Array, b: Array, k: Array) -> Array:
            return mean_with_ends(lambda p, q: self.stops(p, q, k), a, b, k)

        return jnp.vectorize(mean)(*(jnp.asarray(x, float) for x in (a, b, k)))

    def _cost(self, a: Array, b: Array, k: Array) -> Array:
        """Computes -log success of scalars. Below one half the success keeps its digits, above it the failure."""
        gain = mean_over_beta(lambda p, q: self.gain(p, q, k), a + 1, b + 1, k)
        success = share(a, b) + mean_of_product(a, b) * gain
        failure = share(b, a) - mean_of_product(a, b) * gain
        tiny = jnp.finfo(a.dtype).tiny
        rare = success < 0.5
        by_success = jnp.log(jnp.maximum(jnp.where(rare, success, 0.5), tiny))
        return -jnp.where(rare, by_success, jnp.log1p(-jnp.where(rare, 0.5, jnp.maximum(failure, tiny))))


S = TypeVar("S", bound=Law)


def select(law: Law, selection: Selection) -> Law:
    """Gives a law of pass@k another selection: the same success of single samples, without an oracle.

    Args:
        law: A law with a selection, such as a fitted `T2PassK`, or a batch of them.
        selection: A selection with values.

    Returns:
        The law that predicts the success of the answer that the selection returns.

    Raises:
        TypeError: The law has no selection, since it does not say how questions differ.

    Examples:
        >>> loss = t2.laws.Chinchilla(E=0.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
        >>> law = t2.laws.T2PassK(loss=loss, theta0=1.0, theta1=2.0, theta2=0.9, theta3=1.0, theta4=0.0)
        >>> verified = t2.laws.select(law, t2.laws.Verifier(true_positive=0.95, false_positive=0.02))
        >>> [round(float(chosen(1e9, 2e10, 16.0)), 3) for chosen in (law, verified)]
        [0.909, 0.866]
    """
    replaced, draws = type(law).on(type(selection)), np.shape(next(iter(law.values().values())))
    if draws:  # the leaves of a batch have one shape
        selection = jax.tree.map(lambda leaf: np.broadcast_to(leaf, draws), selection)
    return replaced(**{name: _value_of(law, name, field, selection) for name, field in replaced.fields.items()})


def _value_of(law: Law, name: str, field: Any, selection: Selection) -> Any:
    return selection if isinstance(field, Part) and field.predicts == "success" else getattr(law, name)
