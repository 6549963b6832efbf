"""What can be checked: models verified and recomputed, signed, and the step found that made one bad."""
