"""The commands that look at versions: list, show, compare. Whatever is slow to import is imported inside."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from flows.tool_commands import print_json


def versions(options: argparse.Namespace) -> int:
    from flows.listing import as_table, listed
    from flows.repository import Workspace

    rows = listed(Workspace.find())
    if options.json:
        print_json(rows)
    elif rows:
        print("\n".join(as_table(rows)))
    else:
        print("no version yet; `shardsmith build` makes one")
    return 0


def show(options: argparse.Namespace) -> int:
    from flows import lineage, report
    from flows.exported import read_me
    from flows.repository import Workspace
    from flows.versions import EXPORT, find_version
    from flows.versions import show as show_version

    if options.image:
        return _show_image(options)
    if options.code:
        return _show_code(options)
    if options.remote:
        _log("error: show: --remote goes with --code")
        return 2
    workspace = Workspace.find()
    version = find_version(workspace, options.name)
    record = show_version(workspace, version.tag)
    made_of = lineage.lineage_of(workspace, version.tag)
    path, readme = read_me(workspace, version) or (None, None)
    if options.json:
        print_json({**record, "lineage": made_of, "readme": readme})
        return 0
    print(f"{report.summary(record['metrics'], version.tag, EXPORT)}\n")
    if readme:
        print(f"{path}:")
        print("\n".join(f"  {line}" for line in report.how_it_was_made(readme)) + "\n")
    print(f"{'Created:':10}{record['created']}")
    print("\n".join(lineage.as_text(made_of)))
    print("\n".join(f"{'Hash:':10}{value}  {path}" for path, value in record["hashes"].items()))
    return 0


def _show_code(options: argparse.Namespace) -> int:
    from flows.code import code_for
    from flows.environment import prepare_environment
    from flows.repository import Workspace

    workspace = Workspace.find()
    prepare_environment(workspace.root)
    text = code_for(workspace, options.name, options.code, options.remote)
    print_json({"code": text}) if options.json else print(text, end="")
    return 0


def _show_image(options: argparse.Namespace) -> int:
    from flows.environment import prepare_environment
    from flows.exported import read_files
    from flows.repository import Workspace
    from flows.versions import find_version
    from tools.provenance import describe, find_image, make_again

    workspace = Workspace.find()
    prepare_environment(workspace.root)
    version = find_version(workspace, options.name)
    (table,) = read_files(workspace, version, ["images.parquet"])
    row = find_image(table, options.image)
    print_json(row) if options.json else print("\n".join(describe(row)))
    if options.remake:
        options.remake.write_bytes(make_again(row, workspace.root))
        _log(f"{options.remake}: made again from the raw image, byte for byte as recorded")
    return 0


def pull(options: argparse.Namespace) -> int:
    from flows.environment import prepare_environment
    from flows.pull import Wanted
    from flows.pull import pull as pull_version
    from flows.pull_zip import zip_path

    prepare_environment(Path.cwd())
    wanted = Wanted(options.format, tuple(options.split), tuple(options.classes), options.zip, options.page)
    record = pull_version(options.name, options.out, _log, options.repo, options.remote, options.force, wanted)
    place = zip_path(options.out) if options.zip else options.out
    if options.json:
        print_json(record)
    elif part := record.get("part"):
        words = [part["format"], *part["splits"], *part["classes"]]
        counts = f"{record['images']:,} images and {record['boxes']:,} boxes, " if "images" in record else ""
        print(f"{record['tag']} ({', '.join(words)}): {counts}{len(record['files'])} files in {place}")
    else:
        print(f"{record['tag']}: {len(record['files'])} files in {place}, each checked against its hash")
    return 0


def diff(options: argparse.Namespace) -> int:
    """Differing is no failure: the exit code is 0."""
    from dataclasses import asdict

    from flows.diff import diff as compare
    from flows.diff_report import text
    from flows.environment import prepare_environment
    from flows.repository import Workspace

    workspace = Workspace.find()
    prepare_environment(workspace.root)
    found = compare(workspace, options.old, options.new, _log)
    print_json(asdict(found)) if options.json else print(text(found))
    return 0


def _log(message: str) -> None:
    print(message, file=sys.stderr)
