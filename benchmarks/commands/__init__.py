"""The commands of ``python -m benchmarks``: options, a call, what is printed. Nothing imports them but the table."""
