"""Draws garments: cloth, figures, backdrops."""
