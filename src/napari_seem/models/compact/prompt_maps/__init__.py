"""Prompts as the maps of a window that the decoder reads."""
