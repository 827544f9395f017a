"""What several docks are made of: threads, forms, messages, keys and preferences."""
