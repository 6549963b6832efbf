"""Stacks of blocks: what a configuration says of each, and how it is said of other blocks."""
