"""Prices of training and serving: accelerators, shapes of models and costs."""
