"""Figures, each a function of axes and arrays that returns the axes."""
