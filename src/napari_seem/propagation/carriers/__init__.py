"""What carries objects to a plane: a model that learns by example, or a model's memory."""
