"""Signatures of models and steps: in-toto statements in DSSE envelopes."""
