"""What a tracker costs: time, layers, power, and what the harness adds."""
