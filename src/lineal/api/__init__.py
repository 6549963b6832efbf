"""lineal in Python: what the verbs of the command line do, as functions that return models. The verbs call them."""
