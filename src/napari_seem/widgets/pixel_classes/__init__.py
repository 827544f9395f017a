"""The Pixel classes dock."""
