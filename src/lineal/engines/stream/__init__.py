"""The streaming engine: tensor by tensor, in bounded memory, without torch."""
