"""Models in docks: the choice of one, what is known of it, and those that are loaded."""
