"""Whether a registry holds together."""
