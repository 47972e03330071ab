"""Legends: what the colours of a picture stand for, as SVG or PNG."""
