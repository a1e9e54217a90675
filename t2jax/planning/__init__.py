"""From a law and a budget to a plan."""
