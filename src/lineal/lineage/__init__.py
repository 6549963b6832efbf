"""Where every model came from: a registry of models, steps, names and evaluations, and the questions it answers."""
