"""`t2jax plan --tasks`: one model for several tasks."""
