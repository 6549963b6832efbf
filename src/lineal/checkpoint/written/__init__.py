"""What is written: where each tensor will lie, the files, and how they appear at once or not at all."""
