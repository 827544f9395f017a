"""The Objects dock: names, classes and colours of the objects of a Labels layer."""
