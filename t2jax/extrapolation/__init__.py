"""Predictions beyond the table: a law with a smooth discrepancy, the choice of laws, and bands with their horizon."""
