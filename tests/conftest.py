"""Settings of every test: no silent rank promotion, and no global 64-bit mode (float64 must not depend on it)."""

import jax
import matplotlib

jax.config.update("jax_numpy_rank_promotion", "raise")
matplotlib.use("Agg")
