"""Frames to activation ranges: seeded samples, every tensor's histogram, and the range a method draws from it."""
