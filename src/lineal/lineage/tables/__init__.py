"""The tables of the registry: what is kept of models, steps, names and versions, and how it is asked for."""
