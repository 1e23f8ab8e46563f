"""Access to the language model: its files, its tokenizer, its embedding matrix."""
