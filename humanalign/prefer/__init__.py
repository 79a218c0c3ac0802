"""Preferences: completions are compared, ranked by people, models or rules, and become pairs."""
