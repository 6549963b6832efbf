"""Ways to set weights to zero."""

from lineal.methods.prune.magnitude import MagnitudePruning

METHODS = (MagnitudePruning,)
