"""Prompts drawn on the canvas: their layers, the tools they are drawn with, what shapes mean."""
