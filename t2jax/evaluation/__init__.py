"""How far a law may be trusted."""
