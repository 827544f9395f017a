"""The Models dock: which models there are, where they run, and what is kept for them."""
