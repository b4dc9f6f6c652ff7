"""Compiled code that reads rows: blocks, scores, assignments, moments, and how kernels are compiled and kept."""
