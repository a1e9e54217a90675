"""`t2jax report`: results as one HTML file with levers that move."""
