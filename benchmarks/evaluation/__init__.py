"""How well a tracker tracks: VOT with resets, one pass, drift."""
