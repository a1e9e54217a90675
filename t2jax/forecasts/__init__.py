"""pass@k of one model, without a law of N and D."""
