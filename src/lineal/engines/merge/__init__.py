"""A merge before a weight is read: what stands against it, which tensors it makes, and what is put beside them."""
