"""A pruning before a weight is read."""
