"""Reads tables as people write them: other headers, separators, units and file formats."""
