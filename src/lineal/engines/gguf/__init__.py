"""A GGUF as a model, and a model as a GGUF: metadata, tensors and tokenizer, there and back."""
