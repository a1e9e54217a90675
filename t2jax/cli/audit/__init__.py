"""The command `t2jax audit`."""
