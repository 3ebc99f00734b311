"""Everything measured of one engine folder in one file, and the page that shows it."""
