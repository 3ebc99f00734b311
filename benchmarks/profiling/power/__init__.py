"""What the board draws: pure parsers, thin readers, and energy from timed samples."""
