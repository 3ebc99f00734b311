"""LightTrack: searched one-shot trackers, and how their architectures are written down."""
