"""From frames to boxes: the tracker, a locator for each backend, the loop from source to sinks, the track command."""
