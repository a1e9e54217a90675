"""Laws in which tokens that are read again do harm."""
