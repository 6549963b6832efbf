"""What a model is by its content: its hash, proofs about it, and hashes that are remembered."""
