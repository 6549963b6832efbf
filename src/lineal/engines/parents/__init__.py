"""Models that others are derived from, as full weights."""
