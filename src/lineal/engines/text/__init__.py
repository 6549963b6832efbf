"""Texts on their way into a model: documents, tokens, blocks, windows and batches."""
