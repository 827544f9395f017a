"""What is kept of unsaved work in a viewer, and how it comes back as layers."""
