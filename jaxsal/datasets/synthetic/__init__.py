"""The embedded set: actors who move in rooms, rendered in the infrared and in the visible spectrum."""
