"""Draws of other programs, as fits."""
