"""Trackers judged by the videos that were held out of a training, and their constants chosen there."""
