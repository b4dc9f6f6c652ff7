"""Conjugate algebra: update, mode, expected scores, sampling, divergence, evidence."""
