"""What the compact model learns from labelled examples, and labels others by."""
