"""`shardsmith ...`: the groups of commands, put together. Whatever is slow to import a command imports itself."""

from __future__ import annotations

import argparse
from typing import NoReturn

from shardsmith.cli import build, data, versions, workspace
from shardsmith.dataset.errors import run


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shardsmith", description="Labelled images in; named, reproducible dataset versions out."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for group in (build, versions, workspace, data):
        group.add(commands)
    return parser


def entry() -> NoReturn:
    options = make_parser().parse_args()
    run(lambda: options.run(options))


if __name__ == "__main__":
    entry()
