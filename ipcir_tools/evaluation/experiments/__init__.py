"""Measurements of their own: ablation, absent targets, dialogues, index speed."""
