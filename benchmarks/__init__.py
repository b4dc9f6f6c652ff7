"""Speed and memory, side by side with other packages: `python -m benchmarks`."""
