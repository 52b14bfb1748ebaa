"""Talking to a chat model: requests, retries, budgets, errors, and the store of replies."""
