"""What the name of a tensor says: its block, its part, whether a head is tied."""
