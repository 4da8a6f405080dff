"""The consumer: a batch goes from bytes to committed rows in one straight line."""
