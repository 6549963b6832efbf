"""What is wanted of a family of models, and how it comes about."""
