"""The methods: one small frozen dataclass of options each, with a ``run`` that reads the sweep out."""
