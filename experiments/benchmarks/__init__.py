"""t2jax beside its peers: speed, and errors of what each predicts."""
