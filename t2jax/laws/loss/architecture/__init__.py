"""Laws of how a model is built and stored: experts, and bits of its numbers."""
