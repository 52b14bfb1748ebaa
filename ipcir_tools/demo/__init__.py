"""The wardrobe: a drawn world with exact truth, the small models trained on it, and the demo that plays in it."""
