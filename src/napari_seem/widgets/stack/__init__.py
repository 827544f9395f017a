"""The Stack dock: labels of some planes are propagated through a stack."""
