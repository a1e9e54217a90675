"""Plans prepared so that another program can move their budgets, prices and limits and solve them again at once."""
