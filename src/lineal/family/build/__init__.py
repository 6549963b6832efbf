"""Building: what is needed, what it will cost, what stands against it, and the making of each model."""
