"""A Labels layer that results go to: its table, its colours, and the window of a big one."""
