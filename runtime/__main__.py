"""``python -m runtime``: one subcommand a module, imported when it is chosen."""

from __future__ import annotations

import signal
import sys

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while modules are imported ends without a traceback

from siamtrt import cli

COMMANDS = (
    ("track", "runtime.track", "follow an object through a video"),
    ("trax", "serving.trax.serve", "the same as python -m serving trax"),
)

if __name__ == "__main__":
    sys.exit(cli.run_table("runtime", "Run a tracker.", COMMANDS))
