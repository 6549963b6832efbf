"""Functions of real numbers from + - x / and square roots alone: the same bits on every machine."""
