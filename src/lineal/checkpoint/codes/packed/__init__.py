"""Weights as small codes behind scales, as vLLM and transformers store them: packed into words and nibbles."""
