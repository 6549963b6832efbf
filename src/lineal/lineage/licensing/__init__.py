"""Licences, joined over everything that a model was made from."""
