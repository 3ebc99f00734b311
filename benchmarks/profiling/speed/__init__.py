"""How fast a tracker is: raw times of every call, the figures made from them, and what the board drew meanwhile."""
