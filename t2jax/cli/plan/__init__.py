"""The command `t2jax plan`."""
