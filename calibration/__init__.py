"""Frames to activation ranges. So far only the ranges of one tensor are here; no command uses them yet."""
