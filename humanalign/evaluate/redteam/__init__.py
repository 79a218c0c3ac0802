"""Red team: what adversarial prompts get out of a model, before and after it is aligned."""
