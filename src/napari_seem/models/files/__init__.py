"""Files of weights and lessons: where they are, how they come here, and what is in them."""
