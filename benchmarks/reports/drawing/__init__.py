"""Drawings and pages: SVG, axes, plots, bars, HTML."""
