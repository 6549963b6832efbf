"""Two models beside each other: how far apart they are, and whether one comes from the other."""
