"""Train trackers: where pairs come from, the loop that trains, and the tasks that it can train."""
