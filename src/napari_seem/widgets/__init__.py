"""Dock widgets: thin views of a session, and the threads that keep them quick."""
