"""Tokenizers and chat templates by their files alone."""
