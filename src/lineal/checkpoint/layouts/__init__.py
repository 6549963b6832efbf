"""One model's weights in several layouts: names and shapes as an architecture is published, and as else it is met."""
