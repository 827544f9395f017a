"""Objects by class: what a change does to their table, their colours, and where they lie."""
