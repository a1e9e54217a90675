"""The command `t2jax frontier`."""
