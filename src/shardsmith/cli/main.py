"""`shardsmith ...`: the groups of commands, put together. Whatever is slow to import a command imports itself."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, NoReturn

from shardsmith.cli import build, completion, data, share, versions, workspace
from shardsmith.cli.parser import Parser
from shardsmith.dataset.errors import run

# as the help lists them; each command stands in one group
GROUPS = {
    "Start": ("init", "sample", "fetch", "check", "convert"),
    "Build": ("build", "preview", "labels", "serve", "pin", "upgrade"),
    "Versions": ("versions", "show", "diff", "report", "verify", "repair"),
    "Data": ("inspect", "formats", "steps", "findings"),
    "Share": ("pull", "publish", "withdraw", "completion"),
}
_WIDTH = 12


class _Main(Parser):
    """The parser of `shardsmith` alone, whose help lists the commands in groups."""

    summaries: dict[str, str]

    def format_help(self) -> str:
        lines = ["usage: shardsmith COMMAND ...", "", str(self.description)]
        for title, names in GROUPS.items():
            lines += ["", f"{title}:", *(f"  {name:{_WIDTH}}{self.summaries[name]}" for name in names)]
        lines += ["", "`shardsmith COMMAND --help` says what one takes, with examples.", ""]
        lines += ["Options:", f"  {'--version':{_WIDTH}}the version, and the commit it is built from"]
        return "\n".join([*lines, f"  {'-h, --help':{_WIDTH}}this text", ""])


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        print(f"shardsmith {version()}")
        parser.exit()


def make_parser() -> argparse.ArgumentParser:
    parser = _Main(prog="shardsmith", description="Labelled images in; named, reproducible dataset versions out.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(metavar="COMMAND", parser_class=Parser)
    for group in (build, versions, share, workspace, data):
        group.add(commands)
    completion.add(commands, make_parser)
    parser.summaries = {action.dest: str(action.help) for action in commands._choices_actions}
    return parser


def version() -> str:
    """That of the package, with the commit: where it runs from a clone, the one that is checked out."""
    from importlib import metadata

    from shardsmith.workspace.git import git, git_ok

    installed, root = metadata.version("shardsmith"), Path(__file__).parents[3]
    if not (root / ".git").exists() or not git_ok(root, "rev-parse", "--verify", "-q", "HEAD"):
        return installed
    changed = git(root, "status", "--porcelain", "--untracked-files=no", "--", "src")
    commit = git(root, "rev-parse", "--short=9", "HEAD").strip()
    return f"{installed.partition('+')[0]}+g{commit}{'.changed' if changed else ''}"


def entry() -> NoReturn:
    parser = make_parser()
    options = parser.parse_args()
    if not hasattr(options, "run"):
        parser.print_help()
        sys.exit(0)
    run(lambda: options.run(options))


if __name__ == "__main__":
    entry()
