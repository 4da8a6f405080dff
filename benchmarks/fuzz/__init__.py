"""Fuzz what reads other people's files: decoding and preprocessing."""
