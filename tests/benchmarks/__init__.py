"""Measurements, beside VisiOmatic 3 and alone: ``python -m tests.benchmarks``."""
