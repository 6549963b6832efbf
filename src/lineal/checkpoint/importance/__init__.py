"""Importance matrices: how much each column of a matrix matters, as llama.cpp measures and stores it."""
