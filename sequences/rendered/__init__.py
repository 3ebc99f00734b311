"""Clips drawn by the computer, whose boxes are known exactly."""
