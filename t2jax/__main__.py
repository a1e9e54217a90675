"""`python -m t2jax` is the command `t2jax`."""

import sys

from t2jax.cli import main

if __name__ == "__main__":
    sys.exit(main())
