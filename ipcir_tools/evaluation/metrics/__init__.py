"""Recall, mean average precision, and how sure they are."""
