"""What the groups of commands share: how a command is added, and how JSON is printed. Standard library alone."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

Commands = Any  # what argparse gives for sub-commands
AS_DETECTED = "detected automatically by default"


def add_command(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], int], summary: str, *examples: str
) -> argparse.ArgumentParser:
    """A command with its help.

    Args:
        run: returns the exit code; what is slow to import it imports itself.
        summary: for the list of commands, without a full stop.
        examples: lines to type.
    """
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=summary[:1].upper() + summary[1:] + ".",
        epilog="\n".join(["examples:", *(f"  shardsmith {example}" for example in examples)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    return command


def add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON, for scripts")


def add_settings(command: argparse.ArgumentParser, effect: str) -> None:
    command.add_argument("-S", "--set", metavar="KEY=VALUE", action="append", default=[], help=effect)


def print_json(content: object) -> None:
    print(json.dumps(content, indent=2, ensure_ascii=False))
