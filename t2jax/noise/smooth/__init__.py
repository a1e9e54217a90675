"""A law with a smooth discrepancy in closed form: kernels, scales and the fit that averages over them."""
