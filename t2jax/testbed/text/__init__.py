"""The testbed's corpus, tokenizer and questions."""
