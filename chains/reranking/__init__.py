"""Reordering the first hits with a vision model."""
