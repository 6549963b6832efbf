"""Distillation: a student, its teachers, and what is asked of it."""
