"""What goes wrong on purpose, and what comes of it: damaged files, kills, full disks, long runs."""
