"""A command of a table that does nothing."""

from __future__ import annotations


def add_arguments(parser):
    parser.add_argument("--threads", type=int)


def main(options):
    pass
