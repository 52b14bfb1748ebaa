"""Comparing prompts or models on one benchmark, pair by pair."""
