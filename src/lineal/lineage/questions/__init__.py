"""What one asks of a lineage: who descends from whom, why, by which step, how they differ."""
