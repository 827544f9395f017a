"""Objects written to labels: in which order, into which layer, of which class and id."""
