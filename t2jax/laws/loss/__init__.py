"""Laws of the loss, one per file."""
