"""Commands that look at data, list what there is, and convert: they need no version."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from shardsmith.cli.parser import AS_DETECTED, Commands, add_command, add_json, add_settings, count, print_json
from shardsmith.dataset.errors import paint


def add(commands: Commands) -> None:
    command = add_command(
        commands, "check", check, "look for what is wrong in a dataset, without building",
        "check", "check export.zip --fail-on warning", "check my_voc --json",
    )  # fmt: skip
    command.add_argument("source", nargs="?", type=Path, metavar="SRC", help="a folder or archive; data/raw by default")
    command.add_argument("--from", dest="read_as", default="auto", metavar="FORMAT", help=AS_DETECTED)
    command.add_argument(
        "--fail-on", choices=("warning", "error"), default="error", help="exit with 1 from this severity on"
    )
    add_json(command)

    command = add_command(
        commands, "convert", convert, "any format to any format, without git, DVC or a version",
        "convert my_voc --to tfrecord",
        "convert my_voc --to tfrecord --out records --split 0.7,0.2,0.1",
        "convert export.zip --to coco --name birds --zip",
    )  # fmt: skip
    command.add_argument(
        "source", type=Path, metavar="SRC", help="a folder, .zip or .tar.gz with images and annotations"
    )
    command.add_argument("--to", required=True, metavar="FORMAT", help="the format to write; see shardsmith formats")
    command.add_argument("--out", type=Path, metavar="DIR", help="the folder to make; SRC-FORMAT here by default")
    command.add_argument("--from", dest="read_as", default="auto", metavar="FORMAT", help=AS_DETECTED)
    command.add_argument(
        "--split",
        metavar="SHARES",
        help="shares of train, valid and test: 0.7,0.2,0.1, or 0.7,0.3 for none in test; as the source by default",
    )
    command.add_argument("--name", metavar="DATASET", help="what the dataset is called; made of SRC by default")
    command.add_argument("--zip", action="store_true", help="one file, DIR.zip, instead of a folder")
    command.add_argument("--masks", action="store_true", help="a mask for each object with an outline")
    command.add_argument("--workers", type=count, metavar="N", help="processes; all cores by default")

    command = add_command(
        commands, "inspect", inspect, "look into a TFRecord, a label map or an annotated folder",
        "inspect train.record", "inspect data/raw --image sheet.png",
    )  # fmt: skip
    command.add_argument("path", type=Path, metavar="PATH")
    command.add_argument("--image", type=Path, metavar="OUT.png", help="draw a contact sheet with the annotations")
    command.add_argument("--from", dest="read_as", default="auto", metavar="FORMAT", help=AS_DETECTED)
    add_json(command)

    command = add_command(
        commands, "preview", preview, "draw images beside what the steps make of them, without a build",
        "preview --set augment.enabled=true",
        "preview --step rotate --n 4 --out rotated.png",
        "preview --step preprocess.crop -S 'preprocess.steps=[{crop: {left: 0.2, right: 0.8}}]'",
    )  # fmt: skip
    command.add_argument("--n", type=count, metavar="N", default=12, help="how many images; 12 by default")
    command.add_argument("--out", type=Path, default=Path("preview.png"), help="preview.png by default")
    add_settings(command, "use another value of params.yaml; the file stays as it is")
    command.add_argument(
        "--step", metavar="NAME", help="this step alone, as params.yaml lists it, else with its defaults"
    )

    add_json(
        add_command(
            commands, "formats", formats, "list the formats, and what each carries", "formats", "formats --json"
        )
    )

    command = add_command(
        commands, "steps", steps, "list the steps of preprocess and augment, with their parameters",
        "steps", "steps --json", "steps --albumentations",
    )  # fmt: skip
    command.add_argument(
        "--albumentations", action="store_true", help="list the transforms that the step albumentations takes"
    )
    add_json(command)

    add_json(
        add_command(
            commands,
            "findings",
            findings,
            "list the codes of findings and what is done about each",
            "findings",
            "findings --json",
        )
    )


def check(options: argparse.Namespace) -> int:
    from shardsmith.dataset.archive import check_there
    from shardsmith.formats.choice import check_reader

    check_reader(options.read_as)  # before what is slow to import
    if options.source:
        check_there(options.source)
    from shardsmith.conversion.check import as_json, fails, headline, make_check_params, remedies, rows
    from shardsmith.conversion.check import check as look
    from shardsmith.pipeline.params import load_params
    from shardsmith.pipeline.splits.decisions import read_decisions
    from shardsmith.pipeline.splits.record import read_record
    from shardsmith.versions.summary import table
    from shardsmith.workspace.paths import DECISIONS, RAW, SPLITS
    from shardsmith.workspace.workspace import Workspace

    if options.source is None:
        os.chdir(Workspace.find().root)
        remembered = read_decisions(Path(DECISIONS)), read_record(Path(SPLITS))
        done = look(Path(RAW), make_check_params(load_params(), options.read_as), *remembered)
    else:
        done = look(options.source, make_check_params(None, options.read_as))
    if options.json:
        print_json(as_json(done))
    else:
        if done.findings:
            lines = [paint(line, line.partition(" ")[0]) for line in table(rows(done), left=5)]
            print("\n".join([*lines, "", *remedies(done), ""]))
        print(headline(done))
    return int(fails(done, options.fail_on))


def convert(options: argparse.Namespace) -> int:
    from shardsmith.dataset.archive import check_there
    from shardsmith.formats.choice import check_reader, check_writer

    check_writer(options.to)  # before what is slow to import
    check_reader(options.read_as)
    check_there(options.source)
    from shardsmith.conversion.convert import convert as convert_source
    from shardsmith.conversion.convert import report

    if options.workers is not None:
        os.environ["SHARDSMITH_WORKERS"] = str(options.workers)
    done = convert_source(
        options.source, options.to, options.out, options.read_as, options.split,
        name=options.name, zipped=options.zip, masks=options.masks,
    )  # fmt: skip
    print(paint(report(done, options.split), "good"))
    return 0


def inspect(options: argparse.Namespace) -> int:
    from shardsmith.inspect.contents import as_text
    from shardsmith.inspect.contents import inspect as look

    found = look(options.path, options.image, read_as=options.read_as)
    if options.json:
        print_json(found)
    else:
        print("\n".join(as_text(found)))
        if options.image:
            print(f"drawn: {options.image}")
    return 0


def preview(options: argparse.Namespace) -> int:
    from shardsmith.inspect.preview import off_message, only_step
    from shardsmith.inspect.preview import preview as draw
    from shardsmith.pipeline.params import parse_params
    from shardsmith.pipeline.splits.decisions import read_decisions
    from shardsmith.pipeline.splits.record import read_record
    from shardsmith.workspace.paths import DECISIONS, RAW, SPLITS
    from shardsmith.workspace.settings import parse_settings, with_settings
    from shardsmith.workspace.workspace import Workspace

    out = Path.cwd() / options.out
    workspace = Workspace.find()
    os.chdir(workspace.root)
    params = parse_params(with_settings(workspace.params_text(), parse_settings(options.set)))
    params = only_step(params, options.step) if options.step else params
    drawn = draw(Path(RAW), params, out, options.n, read_decisions(Path(DECISIONS)), read_record(Path(SPLITS)))
    if off := off_message(params):
        print(f"preview: {off}", file=sys.stderr)
    print(f"preview: {drawn} in {options.out}")
    return 0


def formats(options: argparse.Namespace) -> int:
    from shardsmith.formats.choice import format_rows
    from shardsmith.versions.summary import table

    rows = format_rows()
    if options.json:
        header, *body = rows
        print_json([dict(zip(header, row, strict=True)) for row in body])
    else:
        print("\n".join(table([row[:-1] for row in rows], left=4)))
        print("\nWhat each carries:")
        print("\n".join(f"  {row[1]}: {row[-1]}" for row in rows[1:]))
    return 0


def steps(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from shardsmith.inspect.catalogue import albumentations_names, step_rows, steps_text

    if options.albumentations:
        names = albumentations_names()
        print_json(names) if options.json else print("\n".join(names))
    elif options.json:
        print_json([asdict(row) for row in step_rows()])
    else:
        print("\n".join(steps_text()))
    return 0


def findings(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from shardsmith.dataset.codes import CATALOGUE
    from shardsmith.versions.summary import table

    if options.json:
        print_json({code: asdict(rule) for code, rule in CATALOGUE.items()})
    else:
        rows = [[code, rule.severity, rule.action, "/".join(rule.allowed)] for code, rule in CATALOGUE.items()]
        lines = table([["code", "severity", "default", "allowed"], *rows])
        meanings = ["meaning", *(rule.meaning for rule in CATALOGUE.values())]
        print("\n".join(f"{line}  {meaning}" for line, meaning in zip(lines, meanings, strict=True)))
    return 0
