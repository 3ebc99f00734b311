"""Trackers for other programs."""
