"""Trackers for other programs; each protocol has a wing."""
