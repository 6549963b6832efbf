"""Calibrated methods: a model block by block from disk, with what a text makes of it."""
