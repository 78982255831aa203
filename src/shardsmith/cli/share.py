"""Commands that share versions, or end that: publish, withdraw."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from shardsmith.cli.parser import Commands, add_command, add_json, print_json
from shardsmith.workspace.log import to_stderr


def add(commands: Commands) -> None:
    command = add_command(
        commands, "publish", publish, "bring versions that are recorded here to the remotes",
        "publish                                    those that the DVC remote lacks",
        "publish v1.0.0 v1.1.0",
        "publish --all                              look at all of them again",
    )  # fmt: skip
    command.add_argument("names", nargs="*", metavar="NAME", help="NAME, or DATASET@NAME")
    command.add_argument("--all", action="store_true", help="every version of the dataset")
    add_json(command)

    command = add_command(
        commands, "withdraw", withdraw, "end versions: name, release record, and what no other version needs",
        "withdraw v1.0.0 --why 'labels of another project'",
        "withdraw --image IMG_0012.jpg --why 'consent withdrawn' --dry-run",
        "withdraw                                   what others have withdrawn, in this clone",
    )  # fmt: skip
    command.add_argument("names", nargs="*", metavar="NAME", help="NAME, or DATASET@NAME")
    command.add_argument(
        "--image", dest="images", metavar="IMAGE_ID", action="append", default=[],
        help="every version that holds this image or was made of it; repeatable",
    )  # fmt: skip
    command.add_argument("--why", default="", help="the reason, which whoever asks for the version is told")
    command.add_argument("--dry-run", action="store_true", help="say what would end, and change nothing")
    command.add_argument("--yes", action="store_true", help="answer the question here, for scripts")
    add_json(command)


def publish(options: argparse.Namespace) -> int:
    """0 if all are published, else 1."""
    from shardsmith.versions.recorded.publish import publish as bring
    from shardsmith.workspace.environment import prepare_environment
    from shardsmith.workspace.workspace import Workspace

    workspace = Workspace.find()
    prepare_environment()
    if options.names and options.all:
        options.wrong("--all: names are given, too; leave one out")
    done, failed = bring(workspace, options.names, options.all, to_stderr)
    if options.json:
        print_json({"published": done, "failed": failed})
    else:
        print("\n".join([*(f"{tag}: published" for tag in done), *failed]) or "nothing to publish: all are there")
    return 1 if failed else 0


def withdraw(options: argparse.Namespace) -> int:
    from shardsmith.versions.recorded import withdraw as withdrawal
    from shardsmith.versions.recorded.consequences import what_ends, what_stays
    from shardsmith.workspace.environment import prepare_environment
    from shardsmith.workspace.workspace import Workspace

    if (options.names or options.images) and not (options.why or options.dry_run):
        options.wrong("--why: needed, for whoever asks for the version; for example --why 'consent withdrawn'")
    workspace = Workspace.find()
    prepare_environment()
    planned = withdrawal.plan(workspace, options.names, options.images)
    ends, stays = what_ends(planned), [f"Stays: {line}" for line in what_stays(planned)]
    is_nothing = not (planned.versions or planned.raw or planned.cache or any(planned.remotes.values()))
    if not options.json:
        print("\n".join(ends if is_nothing else [*ends, *stays]), file=sys.stderr)
    if not (options.dry_run or is_nothing):
        if not options.yes and not _is_confirmed(options, planned.versions[0].tag if planned.versions else "withdraw"):
            print("nothing was withdrawn")
            return 1
        withdrawal.carry_out(workspace, planned, options.why, to_stderr)
        if not options.json:
            print("\n".join(f"{version.tag}: withdrawn" for version in planned.versions) or "withdrawn")
    if options.json:
        done = not (options.dry_run or is_nothing)
        print_json({"withdrawn": done, **asdict(planned), "stays": what_stays(planned)})
    return 0


def _is_confirmed(options: argparse.Namespace, word: str) -> bool:
    if not sys.stdin.isatty():
        options.wrong("withdraw asks before it deletes; add --yes to answer here, or --dry-run to look")
    return input(f"This cannot be undone. Type {word} to go on: ").strip() == word
