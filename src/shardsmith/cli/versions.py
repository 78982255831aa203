"""Commands about versions: versions, show, diff, pull, verify, repair."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from shardsmith.cli.parser import Commands, add_command, add_json, print_json
from shardsmith.dataset.errors import paint, printable
from shardsmith.snippets import KINDS
from shardsmith.workspace.log import to_stderr

if TYPE_CHECKING:
    from shardsmith.proof.checks import Check

_STRICT = "in a pulled folder, no file that is not of the version, not even .DS_Store or a tool's cache"


def add(commands: Commands) -> None:
    command = add_command(
        commands, "versions", versions, "list the versions", "versions", "versions --sizes", "versions --json"
    )
    command.add_argument("--sizes", action="store_true", help="what each adds to the store, raw data and page included")
    add_json(command)

    command = add_command(
        commands, "show", show, "what a version holds, or where one of its images comes from",
        "show v1.0.0",
        "show latest",
        "show raccoon@v1.0.0 --json",
        "show v1.0.0 --image 'raccoon-1.jpg#2' --remake copy.jpg",
        "show v1.0.0 --code keras > load.py",
    )  # fmt: skip
    _add_name(command)
    command.add_argument("--image", metavar="IMAGE_ID", help="its source, and each operation with the values drawn")
    command.add_argument("--remake", type=Path, metavar="FILE", help="with --image: make the image again from them")
    command.add_argument(
        "--code", choices=KINDS,
        help="code that downloads and loads it, or tells a tracker of it",
    )  # fmt: skip
    command.add_argument("--remote", action="store_true", help="with --code: from the DVC remote alone, without git")
    add_json(command)

    command = add_command(
        commands, "diff", diff, "what a version differs in from another, or from the workspace",
        "diff v1.0.0 v1.1.0", "diff v1.1.0 workspace", "diff raccoon@v1 sample@v1 --json",
    )  # fmt: skip
    for name in ("old", "new"):
        command.add_argument(name, metavar=name.upper(), help="NAME, DATASET@NAME, or workspace: what is here now")
    add_json(command)

    command = add_command(
        commands, "pull", pull, "bring a version into a folder, every file checked",
        "pull v1.0.0",
        "pull v1.0.0 --out data/v1",
        "pull raccoon --like 'v1.*'                 the newest of these",
        "pull 'raccoon#prod'                        what GTO has in this stage",
        "pull raccoon@v1.0.0 --out v1 --repo https://example.org/team/raccoon.git",
        "pull raccoon@v1.0.0 --out v1 --remote s3://bucket/path",
        "pull v1.0.0 --out v1 --format coco --split train --class dog",
        "pull v1.0.0 --out v1 --zip --page          as v1.zip, with the version's page in it",
    )  # fmt: skip
    _add_name(command)
    command.add_argument(
        "--out", type=Path, metavar="DIR", help="the folder, or with --zip the file, to make; NAME here by default"
    )
    command.add_argument("--repo", metavar="PATH_OR_URL", help="the workspace's repository; the one here by default")
    command.add_argument("--remote", metavar="URL", help="a DVC remote to pull from alone, without git or a workspace")
    command.add_argument("--format", help="in this format, made of what is stored; see shardsmith formats")
    command.add_argument(
        "--split", action="append", default=[], choices=("train", "valid", "test"), help="this split alone; repeatable"
    )
    command.add_argument(
        "--class", dest="classes", metavar="CLASS", action="append", default=[],
        help="objects of this class alone, and the images that have one; repeatable",
    )  # fmt: skip
    command.add_argument("--masks", action="store_true", help="a mask for each object with an outline")
    command.add_argument("--zip", action="store_true", help="one file, DIR.zip, instead of a folder")
    command.add_argument("--page", action="store_true", help="its page for people too, as page.html")
    command.add_argument("--force", action="store_true", help="replace what is there and is something else")
    command.add_argument("--strict", action="store_true", help=_STRICT)
    add_json(command)

    command = add_command(
        commands, "verify", verify, "check a version, or what was pulled of it, against what was recorded",
        "verify                                     the last version",
        "verify v1.0.0 --remote",
        "verify v1.0.0 --rebuild",
        "verify data/v1                             a pulled folder",
        "verify v1.zip",
    )  # fmt: skip
    _add_name(command, "NAME_OR_DIR", "the last version by default")
    command.add_argument("--remote", action="store_true", help="read every object in the DVC remote, too")
    command.add_argument(
        "--rebuild", action="store_true", help="build it again in a clean clone, by its own code and packages"
    )
    command.add_argument("--strict", action="store_true", help=_STRICT)
    add_json(command)

    command = add_command(
        commands, "repair", repair, "bring back what is damaged or missing of a version, from any good copy",
        "repair                                     the last version",
        "repair v1.0.0 --dry-run",
    )  # fmt: skip
    command.add_argument("name", nargs="?", metavar="NAME", help="NAME, or DATASET@NAME; the last version by default")
    command.add_argument("--dry-run", action="store_true", help="say what it would do, and change nothing")
    add_json(command)


def _add_name(command: argparse.ArgumentParser, metavar: str = "NAME", default: str = "") -> None:
    also = default or "NAME, DATASET@NAME, DATASET#STAGE (of GTO), or latest"
    command.add_argument("name", nargs="?", metavar=metavar, help=also)
    command.add_argument("--like", metavar="PATTERN", help="the newest whose name is like it, 'v1.*'; of dataset NAME")


def _name(options: argparse.Namespace, needed: bool = True) -> str:
    """NAME and --like as the one name that they make; "" for neither."""
    if needed and not (options.name or options.like):
        options.wrong("NAME: needed, or --like; for example latest")
    return "@".join(filter(None, (options.name, options.like)))


def versions(options: argparse.Namespace) -> int:
    from shardsmith.versions.listing import as_table, listed
    from shardsmith.versions.version import tombstones
    from shardsmith.workspace.workspace import Workspace

    workspace = Workspace.find()
    rows, gone = listed(workspace, options.sizes), [one for one in tombstones(workspace) if one.what == "version"]
    if options.json:
        print_json(rows)
        return 0
    print("\n".join(as_table(rows)) if rows else "no version yet; `shardsmith build` makes one")
    if gone:
        print(printable("\n".join(["", *map(str, gone)])))
    return 0


def show(options: argparse.Namespace) -> int:
    from shardsmith.versions import lineage
    from shardsmith.versions import summary as report
    from shardsmith.versions.files import read_words
    from shardsmith.versions.version import find_version
    from shardsmith.versions.version import show as show_version
    from shardsmith.workspace.paths import EXPORT
    from shardsmith.workspace.workspace import Workspace

    options.name = _name(options)
    if options.image:
        return _show_image(options)
    if options.code:
        return _show_code(options)
    if options.remote:
        options.wrong("--remote goes with --code; for example --code tfds --remote")
    workspace = Workspace.find()
    version = find_version(workspace, options.name)
    record = show_version(workspace, version.tag)
    made_of = lineage.lineage_of(workspace, version.tag)
    facts, readme = read_words(workspace, version)
    if options.json:
        print_json({**record, "lineage": made_of, "description": facts, "readme": readme})
        return 0
    formats = (record["params"].get("export") or {}).get("formats") or ["tfrecord"]
    print(f"{report.summary(record['metrics'], version.tag, EXPORT, formats)}\n")
    if facts:
        print("\n".join(["How it was made:", *(f"  {line}" for line in report.how_it_was_made(facts)), ""]))
    print(f"{'Created:':10}{record['created']}")
    print("\n".join(lineage.as_text(made_of)))
    print("\n".join(f"{'Hash:':10}{value}  {path}" for path, value in record["hashes"].items()))
    return 0


def _show_code(options: argparse.Namespace) -> int:
    from shardsmith.snippets.code import code_for
    from shardsmith.workspace.environment import prepare_environment
    from shardsmith.workspace.workspace import Workspace

    workspace = Workspace.find()
    prepare_environment()
    text = code_for(workspace, options.name, options.code, options.remote)
    print_json({"code": text}) if options.json else print(text, end="")
    return 0


def _show_image(options: argparse.Namespace) -> int:
    from shardsmith.inspect.provenance import describe, find_image, make_again
    from shardsmith.versions.files import read_files
    from shardsmith.versions.version import find_version
    from shardsmith.workspace.environment import prepare_environment
    from shardsmith.workspace.workspace import Workspace

    workspace = Workspace.find()
    prepare_environment()
    version = find_version(workspace, options.name)
    (table,) = read_files(workspace, version, ["images.parquet"])
    row = find_image(table, options.image)
    print_json(row) if options.json else print("\n".join(describe(row)))
    if options.remake:
        options.remake.write_bytes(make_again(row, workspace.root))
        to_stderr(f"{options.remake}: made again from the raw image, byte for byte as recorded")
    return 0


def diff(options: argparse.Namespace) -> int:
    """Differing is no failure: the exit code is 0."""
    from dataclasses import asdict

    from shardsmith.versions.version import find_version
    from shardsmith.workspace.environment import prepare_environment
    from shardsmith.workspace.workspace import Workspace

    workspace = Workspace.find()
    prepare_environment()
    for name in (options.old, options.new):
        if name != "workspace":
            find_version(workspace, name)  # before what is slow to import
    from shardsmith.compare.bump import bump_of
    from shardsmith.compare.report import text
    from shardsmith.compare.versions import diff as compare

    found = compare(workspace, options.old, options.new, to_stderr)
    print_json({**asdict(found), "bump": asdict(bump_of(found))}) if options.json else print(text(found))
    return 0


def pull(options: argparse.Namespace) -> int:
    from shardsmith.dataset.archive import zip_path
    from shardsmith.formats.choice import check_writer

    if options.format:
        check_writer(options.format, "--format")  # before what is slow to import
    from shardsmith.download.pull import WantedPart, default_folder
    from shardsmith.download.pull import pull as pull_version
    from shardsmith.workspace.environment import prepare_environment
    from shardsmith.workspace.workspace import Workspace

    prepare_environment()
    name = _name(options)
    only = tuple(options.split), tuple(options.classes)
    wanted = WantedPart(options.format, *only, options.zip, options.page, options.masks)
    repo = options.repo or (None if options.remote else str(Workspace.find().root))
    record = pull_version(name, options.out, to_stderr, repo, options.remote, options.force, wanted, options.strict)
    out = options.out or default_folder(name, record)
    place = zip_path(out) if options.zip else out
    if options.json:
        print_json(record)
    elif part := record.get("part"):
        words = [part["format"], *part["splits"], *part["classes"]]
        counts = f"{record['images']:,} images and {record['boxes']:,} boxes, " if "images" in record else ""
        print(f"{record['tag']} ({', '.join(words)}): {counts}{len(record['files'])} files in {place}")
    else:
        print(f"{record['tag']}: {len(record['files'])} files in {place}, each checked against its hash")
    return 0


def verify(options: argparse.Namespace) -> int:
    """0 if all is right, else 1."""
    from shardsmith.versions.version import choose_version
    from shardsmith.workspace.workspace import Workspace

    name = _name(options, needed=False)
    if name and not Path(name).exists():
        choose_version(Workspace.find(), name)  # before what is slow to import
    from shardsmith.proof.proof import verify as check

    how = {"remote": options.remote, "rebuild": options.rebuild, "strict": options.strict}
    what, checks = check(name or None, **how, log=to_stderr)
    return _finish(what, checks, options.json)


def _finish(what: str, checks: list[Check], as_json: bool) -> int:
    damaged = sum(len(check.damage) for check in checks)
    if as_json:
        print_json({"verified": what, "ok": not damaged, "checks": [check.as_dict() for check in checks]})
    else:
        for check in checks:
            print("\n".join(paint(line, "error" if check.damage else "good") for line in check.lines()))
        many = f"{damaged:,} problems" if damaged > 1 else "1 problem"
        print(f"{what}: " + (f"NOT as recorded: {many}, see above" if damaged else "as recorded"))
    return 1 if damaged else 0


def repair(options: argparse.Namespace) -> int:
    """0 if the version is whole in the end, else 1."""
    from dataclasses import asdict

    from shardsmith.repair.repair import repair as mend
    from shardsmith.workspace.workspace import Workspace

    tag, changes = mend(Workspace.find(), options.name, to_stderr, options.dry_run)
    lost = [change for change in changes if not change.did]
    if options.json:
        print_json({"repaired": tag, "ok": not lost, "changes": [asdict(change) for change in changes]})
        return 1 if lost else 0
    for change in changes:
        print(paint(str(change), "good" if change.did else "error"))
    done = f"{len(changes) - len(lost):,} {'would be repaired' if options.dry_run else 'repaired'}"
    print(f"{tag}: " + (f"{done}, {len(lost):,} LOST, see above" if lost else done if changes else "nothing to repair"))
    return 1 if lost else 0
