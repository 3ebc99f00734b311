"""Data sets, the VOT protocol, metrics, latency, power, layers, reports, and the demo."""
