"""How well a tracker tracks, what it costs, and how that is shown: four wings, and one table of their commands."""
