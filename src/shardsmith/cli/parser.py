"""What the groups of commands share: how a command is added, what is said of a mistyped one. Standard library alone."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any, NoReturn

from shardsmith.dataset.errors import near, paint, suggest

Commands = Any  # what argparse gives for sub-commands
AS_DETECTED = "detected automatically by default"


class Parser(argparse.ArgumentParser):
    """argparse with guesses: a misspelt command, option or choice is answered by the one that was meant."""

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        self._given = list(sys.argv[1:] if args is None else args)
        options, left = super().parse_known_args(self._given, namespace)
        if left:
            self.error(self._unknown(left) or f"{left[0]}: one word too many; `{self.prog} --help` shows the order")
        return options, left

    def error(self, message: str) -> NoReturn:
        """The usage of this very command, what is wrong, and exit code 2."""
        message = re.sub(r"^argument (\S+): ", r"\1 ", message)
        if message.startswith("the following arguments are required: "):
            needed = message.partition(": ")[2]
            meant = self._unknown(self._given, needed.split(", "))
            message = meant or f"{needed}: needed; `{self.prog} --help` shows an example"
        self.print_usage(sys.stderr)
        print(f"{paint('error:', 'error', sys.stderr)} {message}", file=sys.stderr)
        sys.exit(2)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        if isinstance(action, argparse._SubParsersAction):
            guess = near(str(value), action.choices)
            raise argparse.ArgumentError(None, f"no command {value!r}; {guess}`{self.prog} --help` lists them")
        name = action.option_strings[-1] if action.option_strings else str(action.metavar or action.dest)
        raise argparse.ArgumentError(None, f"{name} {value}: {suggest(str(value), list(action.choices))}")

    def _unknown(self, words: list[str], needed: Collection[str] = ()) -> str:
        """What is said of the first option among the words that there is not; "" if there is none.

        Args:
            needed: what was left out, and so is most likely meant.
        """
        for word in words:
            option = word.partition("=")[0]
            known = list(self._option_string_actions)
            if not re.match(r"--?[a-zA-Z]", option) or any(one.startswith(option) for one in known):
                continue
            if option[1] != "-" and option[:2] in known:  # -Sa=1
                continue
            guess = near(option, needed) or near(option, known) or f"`{self.prog} --help` lists them"
            return f"no option {option}; {guess}".rstrip("; ")
        return ""


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
    command.set_defaults(run=run, wrong=command.error)
    return command


def count(text: str) -> int:
    """The type of an option that is a number of something."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: not a whole number from 1; for example 4")
    return int(text)


def add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON, for scripts")


def add_settings(command: argparse.ArgumentParser, effect: str) -> None:
    command.add_argument("-S", "--set", metavar="KEY=VALUE", action="append", default=[], help=effect)


def print_json(content: object) -> None:
    print(json.dumps(content, indent=2, ensure_ascii=False))
