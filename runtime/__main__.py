"""``python -m runtime``: one subcommand a module, imported when it is chosen."""

from __future__ import annotations

import sys

from siamtrt import cli

COMMANDS = (
    ("track", "runtime.track", "follow an object through a video"),
    ("trax", "serving.trax.serve", "the same as python -m serving trax"),
)

if __name__ == "__main__":
    sys.exit(cli.run_table("runtime", "Run a tracker.", COMMANDS))
