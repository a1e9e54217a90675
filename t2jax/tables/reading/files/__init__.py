"""Reads the cells of a file, whatever they mean: text, JSON Lines, Excel and Parquet."""
