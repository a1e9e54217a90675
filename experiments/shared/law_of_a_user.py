"""A law that t2jax does not have, as a user would write it."""

from typing import Any

from numpyro.distributions import LogNormal

import t2jax as t2


@t2.law
class Joint(t2.Law):
    """-log pass@k = E + (A/N^α + B/D^β)·k^-γ: samples shrink what training leaves. Made up for this check."""

    response = ("neg_log_pass",)
    E: Any = t2.param(LogNormal(-2.0, 1.0), unit="nats", doc="what no training and no samples solve")
    A: Any = t2.coefficient(LogNormal(6.0, 2.0), "nats·params^α", "size term", of="N", exponent="alpha")
    B: Any = t2.coefficient(LogNormal(7.0, 2.0), "nats·tokens^β", "data term", of="D", exponent="beta")
    alpha: Any = t2.param(LogNormal(-1.0, 0.4), unit="1", doc="size exponent")
    beta: Any = t2.param(LogNormal(-1.0, 0.4), unit="1", doc="data exponent")
    gamma: Any = t2.param(LogNormal(-1.5, 0.5), unit="1", doc="exponent of samples")

    def __call__(self, N, D, k):
        return self.E + (self.A * N**-self.alpha + self.B * D**-self.beta) * k**-self.gamma
