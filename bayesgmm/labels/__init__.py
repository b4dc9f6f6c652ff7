"""Labels: what the components say about which points belong together."""
