"""A merge that is not the same everywhere: parts, stretches, and options that differ by tensor."""
