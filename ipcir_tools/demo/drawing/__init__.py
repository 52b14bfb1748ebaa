"""Drawing garments: cloth, figures, backdrops."""
