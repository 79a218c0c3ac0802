"""The reward room: preference pairs -> a learned scorer, and every other source of a reward."""
