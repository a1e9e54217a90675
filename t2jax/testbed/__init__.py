"""A small language-model testbed: text and questions, models, training, measurement."""
