"""Which network: search spaces, what their networks cost, strategies, and the archive of what was tried."""
