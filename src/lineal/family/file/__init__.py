"""The family file: YAML to recipes, every fault with its line."""
