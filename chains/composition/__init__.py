"""Composing: a caption and an imagination become texts, texts become features, features become one probe."""
