"""Frames to boxes: crop, match, decode; one matcher a backend; the tracker; the track command."""
