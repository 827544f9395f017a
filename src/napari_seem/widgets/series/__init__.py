"""The Series dock: images labelled one after another."""
