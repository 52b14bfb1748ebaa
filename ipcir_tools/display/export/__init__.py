"""The hits of a turn outside of the gallery: copied into a folder, listed in a file, drawn as one page."""
