"""What is recorded, and the files that records travel in."""
