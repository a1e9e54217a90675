"""Selections among samples, one per file: how a system that has no oracle picks its answer."""
