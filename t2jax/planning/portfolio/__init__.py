"""One model for several tasks, with samples of its own for each."""
