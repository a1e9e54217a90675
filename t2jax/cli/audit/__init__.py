"""Command `t2jax audit`."""
