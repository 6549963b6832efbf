"""Weights that are stored as codes: which tensors make one up, and how any stretch of it is decoded."""
