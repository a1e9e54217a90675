"""Training and measurement of the testbed's models."""
