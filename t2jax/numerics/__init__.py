"""Mathematics that knows no law."""
