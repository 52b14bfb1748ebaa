"""Imagining the target: a language model through a prompt, or the rules of the English edit grammar."""
