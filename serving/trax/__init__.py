"""A tracker for other programs, over TraX: the protocol by which the VOT toolkit talks to trackers."""
