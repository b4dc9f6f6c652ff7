"""Partitions: which points belong together, whatever the components are called."""
