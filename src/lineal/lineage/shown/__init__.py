"""A lineage as JSON, as a card, as a picture."""
