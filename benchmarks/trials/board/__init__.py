"""What a board is asked on its first day, a line a question."""
