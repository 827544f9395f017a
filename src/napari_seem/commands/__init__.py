"""What a person can do, each thing once: values that can be written down, and their handlers."""
