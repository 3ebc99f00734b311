"""How long each layer of each engine takes, one schema for every backend, and reports side by side."""
