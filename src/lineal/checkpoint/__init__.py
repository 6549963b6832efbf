"""What is on disk: checkpoints read lazily, written once, and known by their content."""
