"""What several experiments share, and no experiment itself."""
