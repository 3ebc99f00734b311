"""What exits are worth: every exit of every frame in a table, thresholds tuned on it, policies in closed loop."""
