"""A small language-model testbed: text, questions, models, training and measurement."""
