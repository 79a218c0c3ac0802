"""How far a reward can be trusted: one question a file, put together in `card`."""
