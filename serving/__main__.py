"""``python -m serving``: one subcommand a module, imported when it is chosen."""

from __future__ import annotations

import signal
import sys

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while modules are imported ends without a traceback

from siamtrt import cli

COMMANDS = (
    ("trax", "serving.trax.serve", "track for a program that speaks TraX, as vot evaluate"),
    ("ros", "serving.ros.serve", "a node of ROS 2: images in, detections out"),
    ("web", "serving.web.serve", "a page to draw a target on and see it followed"),
)

if __name__ == "__main__":
    sys.exit(cli.run_table("serving", "Serve a tracker to another program.", COMMANDS))
