"""Properties of the objectives that no table of numbers can show."""
