"""The Annotate dock: prompts become objects in a Labels layer."""
