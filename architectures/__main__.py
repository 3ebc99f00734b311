"""``python -m architectures``: one subcommand a module, imported when it is chosen."""

from __future__ import annotations

import signal
import sys

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while modules are imported ends without a traceback

from siamtrt import cli

COMMANDS = (
    ("carriers", "architectures.carriers", "write the six networks that a latency table is made of"),
    ("lut", "architectures.lut", "make a latency table of their layer reports"),
    ("search", "architectures.search", "search a supernet for networks within limits; rerun to resume"),
    ("rank", "architectures.rank", "train some networks alone: does the supernet rank them alike?"),
    ("verify", "architectures.verify", "compare searches with chance"),
    ("cells", "architectures.cells.command", "search a cell between trunk and head, derive one, show one"),
    ("show", "architectures.show", "what an architecture costs, part by part"),
)

if __name__ == "__main__":
    sys.exit(cli.run_table("architectures", "Search for tracker networks.", COMMANDS))
