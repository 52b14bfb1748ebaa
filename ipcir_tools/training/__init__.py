"""Methods that are trained: textual inversion (Pic2Word, SEARLE) and the supervised alignment of the proxy feature."""
