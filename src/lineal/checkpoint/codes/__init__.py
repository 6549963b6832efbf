"""Values as they are stored: floats of every width, and the blocks of GGUF."""
