"""Objects in the making: one for each plane, with its prompts, steps, turns and answers."""
