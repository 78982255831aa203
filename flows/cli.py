"""`shardsmith ...`: argument parsing only. Whatever is slow to import is imported by the command that needs it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from flows.page_commands import report as open_page
from flows.prove_commands import init, verify
from flows.tool_commands import check, convert, findings, formats, inspect, preview, print_json, sample, steps
from flows.version_commands import diff, pull, show, versions

_EXAMPLES = {
    "build": """
examples:
  shardsmith build                                      a version named by the time
  shardsmith build --name v1.0.0
  shardsmith build --name big -S preprocess.enabled=true -S augment.copies=3""",
    "versions": "\nexamples:\n  shardsmith versions\n  shardsmith versions --json",
    "show": """
examples:
  shardsmith show v1.0.0
  shardsmith show raccoon@v1.0.0 --json
  shardsmith show v1.0.0 --image 'raccoon-1.jpg#2' --remake copy.jpg
  shardsmith show v1.0.0 --code keras > load.py""",
    "diff": """
examples:
  shardsmith diff v1.0.0 v1.1.0
  shardsmith diff v1.1.0 workspace
  shardsmith diff raccoon@v1 sample@v1 --json""",
    "pull": """
examples:
  shardsmith pull v1.0.0 --out data/v1
  shardsmith pull raccoon@v1.0.0 --out v1 --repo https://example.org/team/raccoon.git
  shardsmith pull raccoon@v1.0.0 --out v1 --remote s3://bucket/path
  shardsmith pull v1.0.0 --out v1 --format coco --split train --class dog
  shardsmith pull v1.0.0 --out v1 --zip --page          as v1.zip, with the version's page in it""",
    "report": "\nexamples:\n  shardsmith report\n  shardsmith report v1.0.0 --out page.html",
    "verify": """
examples:
  shardsmith verify                                     the last version
  shardsmith verify v1.0.0 --remote
  shardsmith verify v1.0.0 --rebuild
  shardsmith verify data/v1                             a pulled folder
  shardsmith verify v1.zip""",
    "init": """
examples:
  shardsmith init ../birds
  shardsmith init birds --name wild_birds --from https://example.org/team/raccoon.git""",
    "sample": "\nexamples:\n  shardsmith sample data/raw\n  shardsmith sample pictures --format coco",
    "convert": """
examples:
  shardsmith convert my_voc --to tfrecord --out records --split 0.7,0.2,0.1
  shardsmith convert export.zip --to coco --out as_coco""",
    "check": """
examples:
  shardsmith check
  shardsmith check export.zip --fail-on warning
  shardsmith check my_voc --json""",
    "fetch": """
examples:
  shardsmith fetch ~/Downloads/export.zip
  shardsmith fetch s3://bucket/labelled
  shardsmith fetch --images""",
    "formats": "\nexamples:\n  shardsmith formats\n  shardsmith formats --json",
    "inspect": """
examples:
  shardsmith inspect train.record
  shardsmith inspect data/raw --image sheet.png""",
    "preview": """
examples:
  shardsmith preview --set augment.enabled=true
  shardsmith preview --step rotate --n 4 --out rotated.png
  shardsmith preview --step preprocess.crop -S 'preprocess.steps=[{crop: {left: 0.2, right: 0.8}}]'""",
    "steps": "\nexamples:\n  shardsmith steps\n  shardsmith steps --json\n  shardsmith steps --albumentations",
    "findings": "\nexamples:\n  shardsmith findings\n  shardsmith findings --json",
    "serve": "\nexamples:\n  shardsmith serve\n  shardsmith serve --cron '0 3 * * *'",
}


def build(options: argparse.Namespace) -> int:
    from flows import recording, report
    from flows.environment import prepare_environment
    from flows.publish import Publishing
    from flows.repository import Workspace
    from flows.settings import parse_settings, with_settings
    from flows.versions import EXPORT, METRICS, own_dataset

    workspace = Workspace.find()
    os.chdir(workspace.root)
    prepare_environment(workspace.root)
    settings = parse_settings(options.set)
    with_settings((workspace.root / "params.yaml").read_text(encoding="utf-8"), settings)  # a typo is said at once
    how, wait = Publishing(options.push, options.verify_remote, options.allow_label_change), options.wait
    outcome = None if settings else recording.record_if_current(workspace, options.name, _log, how, wait)
    if outcome is None:
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")  # our own lines are enough
        from flows.build import run

        outcome = run(options.name, settings, how, wait)
    if options.json:
        print_json({"dataset": own_dataset(workspace), "tag": outcome.tag, "made": outcome.made})
    elif outcome.made:
        metrics = json.loads((workspace.root / METRICS).read_text(encoding="utf-8"))
        print(f"\n{report.summary(metrics, outcome.tag, EXPORT)}")
    else:
        print(outcome.message)
    return 0


def fetch(options: argparse.Namespace) -> int:
    from flows.environment import prepare_environment
    from flows.fetch import fetch as bring
    from flows.fetch import fetch_images
    from flows.repository import Workspace
    from tools.addresses import image_addresses

    workspace = Workspace.find()
    prepare_environment(workspace.root)
    if not options.images and not options.source:
        print("error: fetch: name a source, or --images", file=sys.stderr)
        return 2
    if options.source:
        bring(workspace, options.source, _log)
        print("data/raw: ready; `shardsmith build` makes a version of it")
    if options.images:
        count = fetch_images(workspace, image_addresses(workspace.root / "data" / "raw"), _log)
        print(f"data/raw: {count} images downloaded")
    return 0


def serve(options: argparse.Namespace) -> int:
    from flows.environment import prepare_environment
    from flows.repository import Workspace
    from flows.serve import serve as run_server

    prepare_environment(Workspace.find().root)
    run_server(options.cron, options.port)
    return 0


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shardsmith", description="Labelled images in; named, reproducible dataset versions out."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = _add(commands, "build", build, "build a version from data/raw and params.yaml, and record it")
    command.add_argument("--name", help="what it is called; the UTC time by default")
    command.add_argument(
        "-S", "--set", metavar="KEY=VALUE", action="append", default=[],
        help="change a value of params.yaml; it stays if the build succeeds",
    )  # fmt: skip
    command.add_argument("--no-push", dest="push", action="store_false", help="record it here, and publish nothing")
    command.add_argument("--verify-remote", action="store_true", help="read every pushed object back and hash it")
    command.add_argument(
        "--allow-label-change", action="store_true", help="record a label map that breaks readers of the last version"
    )
    command.add_argument(
        "--no-wait", dest="wait", action="store_false", help="fail where another build is at work, not wait for it"
    )
    _add_json(command)

    _add_json(_add(commands, "versions", versions, "list the versions"))

    command = _add(commands, "show", show, "what a version holds, or where one of its images comes from")
    command.add_argument("name", metavar="NAME", help="NAME, or DATASET@NAME")
    command.add_argument("--image", metavar="IMAGE_ID", help="its source, and each operation with the values drawn")
    command.add_argument("--remake", type=Path, metavar="FILE", help="with --image: make the image again from them")
    command.add_argument(
        "--code", choices=("tfds", "tf.data", "keras", "torch", "yolo"), help="code that downloads and loads it"
    )
    command.add_argument("--remote", action="store_true", help="with --code: from the DVC remote alone, without git")
    _add_json(command)

    command = _add(commands, "diff", diff, "what a version differs in from another, or from the workspace")
    for name in ("old", "new"):
        command.add_argument(name, metavar=name.upper(), help="NAME, DATASET@NAME, or workspace: what stands here now")
    _add_json(command)

    command = _add(commands, "pull", pull, "bring a version into a folder, every file checked")
    command.add_argument("name", metavar="NAME", help="NAME, or DATASET@NAME")
    command.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the folder, or with --zip the file, to make"
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
    command.add_argument("--zip", action="store_true", help="one file, DIR.zip, instead of a folder")
    command.add_argument("--page", action="store_true", help="its page for people too, as page.html")
    command.add_argument("--force", action="store_true", help="replace what is there and is something else")
    _add_json(command)

    command = _add(commands, "report", open_page, "open a version's page in the browser")
    command.add_argument("name", nargs="?", metavar="NAME", help="NAME, or DATASET@NAME; the one built last by default")
    command.add_argument("--out", type=Path, metavar="FILE", help="write it there instead")

    command = _add(commands, "verify", verify, "check a version, or what was pulled of it, against what was recorded")
    command.add_argument("name", nargs="?", metavar="NAME_OR_DIR", help="the last version by default")
    command.add_argument("--remote", action="store_true", help="read every object in the DVC remote, too")
    command.add_argument("--rebuild", action="store_true", help="build it again in a clean clone, and compare")
    _add_json(command)

    command = _add(commands, "init", init, "make a new workspace: this one's code, no history and no data")
    command.add_argument("folder", type=Path, metavar="DIR", help="an empty folder, or one to make")
    command.add_argument("--from", dest="source", metavar="PATH_OR_URL", help="a workspace; the one here by default")
    command.add_argument("--name", metavar="DATASET", help="the dataset's name; made from DIR by default")

    command = _add(commands, "sample", sample, "draw the sample dataset")
    command.add_argument("folder", type=Path, metavar="DIR", help="an empty folder, or one to make")
    command.add_argument("--format", default="voc", help="voc (default), coco, tfod_csv or tfrecord")

    command = _add(commands, "check", check, "look for what is wrong in a dataset, without building")
    command.add_argument("source", nargs="?", type=Path, metavar="SRC", help="a folder or archive; data/raw by default")
    command.add_argument("--from", dest="read_as", default="auto", metavar="FORMAT", help="found by itself by default")
    command.add_argument(
        "--fail-on", choices=("warning", "error"), default="error", help="exit with 1 from this severity on"
    )
    _add_json(command)

    command = _add(commands, "convert", convert, "any format to any format, without git, DVC or a version")
    command.add_argument(
        "source", type=Path, metavar="SRC", help="a folder, .zip or .tar.gz with images and annotations"
    )
    command.add_argument("--to", required=True, metavar="FORMAT", help="the format to write; see shardsmith formats")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to make")
    command.add_argument("--from", dest="read_as", default="auto", metavar="FORMAT", help="found by itself by default")
    command.add_argument(
        "--split", metavar="0.7,0.2,0.1", help="shares of train, valid and test; the source's by default"
    )
    command.add_argument("--workers", type=int, help="processes; all cores by default")

    command = _add(commands, "fetch", fetch, "bring raw data to data/raw, and let DVC store it")
    command.add_argument("source", nargs="?", metavar="SRC", help="a folder, a .zip or .tar.gz, or a URL of either")
    command.add_argument("--images", action="store_true", help="download the images that annotations name by URL")

    _add_json(_add(commands, "formats", formats, "list the formats, and what each carries"))

    command = _add(commands, "inspect", inspect, "look into a TFRecord, a label map or an annotated folder")
    command.add_argument("path", type=Path, metavar="PATH")
    command.add_argument("--image", type=Path, metavar="OUT.png", help="draw a contact sheet with the annotations")
    command.add_argument("--from", dest="read_as", default="auto", metavar="FORMAT", help="found by itself by default")
    _add_json(command)

    command = _add(commands, "preview", preview, "draw images beside what the steps make of them, without a build")
    command.add_argument("--n", type=int, default=12, help="how many images; 12 by default")
    command.add_argument("--out", type=Path, default=Path("preview.png"), help="preview.png by default")
    command.add_argument(
        "-S", "--set", metavar="KEY=VALUE", action="append", default=[],
        help="take a value of params.yaml to be another; the file stays as it is",
    )  # fmt: skip
    command.add_argument(
        "--step", metavar="NAME", help="this step alone, as params.yaml lists it, else with its defaults"
    )

    command = _add(commands, "steps", steps, "list the steps of preprocess and augment, with their parameters")
    command.add_argument(
        "--albumentations", action="store_true", help="list the transforms that the step albumentations takes"
    )
    _add_json(command)

    _add_json(_add(commands, "findings", findings, "list the codes of findings and what is done about each"))

    command = _add(commands, "serve", serve, "run Prefect's server, a worker and a schedule")
    command.add_argument("--cron", help="when to build, five fields in UTC; no schedule by default")
    command.add_argument("--port", type=int, default=4200, help="of Prefect's page, 4200 by default")
    return parser


def _add(commands: Any, name: str, run: Any, summary: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=summary[:1].upper() + summary[1:] + ".",
        epilog=_EXAMPLES[name],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    return command


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON, for scripts")


def _log(message: str) -> None:
    print(message, file=sys.stderr)


def entry() -> NoReturn:
    from stages.dataset.command import run

    options = make_parser().parse_args()
    run(lambda: options.run(options))


if __name__ == "__main__":
    entry()
