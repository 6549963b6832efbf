"""A quantization before a weight is read."""
