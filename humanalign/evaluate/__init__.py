"""Honest evaluation: before and after on the same prompts, with intervals, and the report page."""
