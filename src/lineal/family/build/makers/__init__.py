"""How each kind of derivation comes about: one class a kind, and the table that finds it."""
