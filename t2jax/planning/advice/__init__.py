"""Numbers that explain a plan: what a larger model gains, and how many samples are worth drawing."""
