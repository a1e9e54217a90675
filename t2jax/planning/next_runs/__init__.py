"""Choice of the next runs to train."""
