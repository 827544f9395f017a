"""Work in threads: one job at a time, or many steps, and how far it is."""
