"""The commands `verify` and `init`. Whatever is slow to import is imported inside."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from flows.tool_commands import print_json

if TYPE_CHECKING:
    from flows.checks import Check


def verify(options: argparse.Namespace) -> int:
    """0 if all is right, else 1."""
    from flows.environment import prepare_environment
    from flows.repository import Workspace
    from flows.verify import choose_version, verify_version
    from flows.verify_pulled import is_pulled, verify_pulled
    from stages.dataset.errors import VersionError

    folder = Path(options.name) if options.name else None
    if folder and is_pulled(folder) and not (options.remote or options.rebuild):
        tag, checks = verify_pulled(folder)
        return _finish(f"{folder} ({tag})", checks, options.json)
    try:
        workspace = Workspace.find()
        prepare_environment(workspace.root)
        version = choose_version(workspace, options.name)
    except VersionError as error:
        if folder and folder.is_dir():
            what = "a pulled folder takes no --remote or --rebuild" if is_pulled(folder) else "no VERSION.json in it"
            raise VersionError(f"{folder}: {what}; and as the name of a version: {error}") from None
        raise
    checks = verify_version(workspace, version, options.remote)
    if options.rebuild:
        from flows.rebuild import rebuild

        checks.append(rebuild(workspace, version, _log))
    return _finish(version.tag, checks, options.json)


def _finish(what: str, checks: list[Check], as_json: bool) -> int:
    damaged = sum(len(check.damage) for check in checks)
    if as_json:
        print_json({"verified": what, "ok": not damaged, "checks": [check.as_dict() for check in checks]})
    else:
        for check in checks:
            print("\n".join(check.lines()))
        many = f"{damaged:,} problems" if damaged > 1 else "1 problem"
        print(f"{what}: " + (f"NOT as recorded: {many}, see above" if damaged else "as recorded"))
    return 1 if damaged else 0


def init(options: argparse.Namespace) -> int:
    from flows.environment import prepare_environment
    from flows.init import init as make_workspace

    prepare_environment(Path.cwd())
    name = make_workspace(options.folder, options.source, options.name, _log)
    print(
        f"{options.folder}: a workspace for the dataset {name}\n\n"
        "Next:\n"
        f"    cd {options.folder}\n"
        "    put images and annotations into data/raw, in any format that `shardsmith formats` lists\n"
        "    make dataset                       # the first version; without data it draws the sample\n"
        "To share versions:\n"
        "    dvc remote add -d store URL && dvc config remote.store.verify true"
    )
    return 0


def _log(message: str) -> None:
    print(message, file=sys.stderr)
