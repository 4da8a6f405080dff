"""How the line does with a million images: `python -m benchmarks.scale`."""
