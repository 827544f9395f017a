"""Label arrays: their objects, classes and colours, every change to them, and the log of it."""
