"""Headers of safetensors and GGUF files, read as if an enemy had written them."""
