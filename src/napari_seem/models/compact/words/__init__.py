"""Words of the compact model: those it was trained on, those it was taught, what they find."""
