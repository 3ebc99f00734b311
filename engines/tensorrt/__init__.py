"""Plans for TensorRT: by builder flags (8.5 to 10), or with the precision in the graph (RTX, 10 and later)."""
