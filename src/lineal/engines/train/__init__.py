"""The training engine: one loop, an objective is what varies."""
