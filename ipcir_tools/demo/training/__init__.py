"""Training the small CLIP and BLIP that ship with the package."""
