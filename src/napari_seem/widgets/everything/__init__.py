"""The Everything dock: all objects of a plane, reviewed before they are written."""
