"""Encoders, captioners and image generators, loaded by name."""
