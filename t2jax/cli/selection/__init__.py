"""How a deployed system picks among its samples, as an option of commands."""
