"""Garments, captions and edits of the wardrobe, and the benchmark made of them."""
