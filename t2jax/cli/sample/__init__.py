"""The command `t2jax sample`."""
