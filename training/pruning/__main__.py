"""``python -m training.pruning``: a smaller tracker out of a trained one."""

from __future__ import annotations

import signal
import sys

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while modules are imported ends without a traceback

from siamtrt import cli

_COMMANDS = "training.pruning.commands"
COMMANDS = (
    ("score", f"{_COMMANDS}.score", "what each channel of a checkpoint is worth to its maps"),
    ("cut", f"{_COMMANDS}.cut", "take the least of the channels out, and prove it"),
    ("rounds", f"{_COMMANDS}.rounds", "score, cut and distil down to a budget, round by round"),
)


if __name__ == "__main__":
    sys.exit(cli.run_table("training.pruning", "Prune a tracker by what its maps need.", COMMANDS))
