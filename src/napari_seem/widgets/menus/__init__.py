"""Menu commands: files and libraries of taught words, opened and saved."""
