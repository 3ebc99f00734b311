"""Channels out of a tracker: which matter to its maps, which to take for a budget, how to win back what that cost."""
