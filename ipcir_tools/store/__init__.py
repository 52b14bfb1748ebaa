"""What is kept: the catalog (features, captions, turns, replies) and the Chroma index over it."""
