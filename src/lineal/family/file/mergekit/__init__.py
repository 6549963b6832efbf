"""mergekit's YAML, taken as it is: its keys, its model references, its parameters with their defaults."""
