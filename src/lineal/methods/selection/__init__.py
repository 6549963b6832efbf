"""Which entries of a tensor are kept: exact thresholds and exact counts, without sorting."""
