"""Measurements beside VisiOmatic 3: the same cube, the same URLs (``python -m tests.benchmarks.peer``)."""
