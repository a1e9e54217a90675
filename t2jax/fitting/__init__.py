"""From a table, a law and a noise model to a fitted law."""
