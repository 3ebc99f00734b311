"""Frames to activation ranges. Nothing is here yet: INT8 comes with its own change."""
