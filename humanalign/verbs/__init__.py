"""What each command does: load what the settings name, hand it to one room, return numbers."""
