"""Laws of pass@k and of losses of samples, one per file."""
