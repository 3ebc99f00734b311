"""``python -m serving``: one subcommand a module, imported when it is chosen."""

from __future__ import annotations

import sys

from siamtrt import cli

COMMANDS = (("trax", "serving.trax.serve", "track for a program that speaks TraX, as vot evaluate"),)

if __name__ == "__main__":
    sys.exit(cli.run_table("serving", "Serve a tracker to another program.", COMMANDS))
