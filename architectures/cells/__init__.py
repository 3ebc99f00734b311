"""Cells between trunk and head: the search for one, what it came to, and what a cell costs."""
