"""Assessment of one fit: whether its predictions are calibrated, and how clear its clusters are."""
