"""Laws in which the value of a token depends on the size of the model."""
