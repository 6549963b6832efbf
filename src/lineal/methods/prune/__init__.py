"""Ways to set weights to zero."""

METHODS = {  # name: module and class, loaded when it is asked for
    "magnitude": "magnitude:MagnitudePruning",
}
