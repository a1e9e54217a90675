"""Solvers: Newton for fits, an interior point for plans, and derivatives through an optimum."""
