"""The reset-based VOT protocol: running it, reading its results, and its measures."""
