"""The wardrobe's facts: garments, captions, edits, and the benchmark made of them."""
