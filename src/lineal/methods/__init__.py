"""What is done to weights, pure: one paper, one file."""
