"""Ways to store weights in fewer bits, or in another file format."""

from lineal.methods.quantize.gguf import GgufQuantization

METHODS = (GgufQuantization,)
