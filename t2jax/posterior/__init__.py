"""Posteriors: laws sampled from their priors and a table."""
