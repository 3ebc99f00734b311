"""``ros2 run siamtrt_ros track``: the same as ``python -m serving ros``."""

import sys

from serving.__main__ import COMMANDS
from siamtrt import cli


def main() -> None:
    """Run the node until it is shut down."""
    sys.exit(cli.run_table("serving", "Serve a tracker to another program.", COMMANDS, ["ros", *sys.argv[1:]]))
