"""The commands that need no version: they look, list and convert. Whatever is slow to import is imported inside."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path


def sample(options: argparse.Namespace) -> int:
    from tools.sample import write_sample

    print(write_sample(options.folder, options.format))
    return 0


def convert(options: argparse.Namespace) -> int:
    from tools.convert import convert as convert_source
    from tools.convert import report

    if options.workers:
        os.environ["SHARDSMITH_WORKERS"] = str(options.workers)
    done = convert_source(options.source, options.to, options.out, options.read_as, options.split)
    print(report(done, options.to, options.out))
    return 0


def check(options: argparse.Namespace) -> int:
    from flows.report import table
    from flows.repository import Workspace
    from stages.params import load_params
    from tools.check import as_json, fails, headline, make_check_params, remedies, rows
    from tools.check import check as look

    source, params = options.source, None
    if source is None:
        os.chdir(Workspace.find().root)
        source, params = Path("data", "raw"), load_params()
    done = look(source, make_check_params(params, options.read_as))
    if options.json:
        print_json(as_json(done))
    else:
        if done.findings:
            print("\n".join([*table(rows(done), left=5), "", *remedies(done), ""]))
        print(headline(done))
    return int(fails(done, options.fail_on))


def inspect(options: argparse.Namespace) -> int:
    from tools.inspect import as_text
    from tools.inspect import inspect as look

    found = look(options.path, options.image, read_as=options.read_as)
    if options.json:
        print_json(found)
    else:
        print("\n".join(as_text(found)))
        if options.image:
            print(f"drawn: {options.image}")
    return 0


def preview(options: argparse.Namespace) -> int:
    from flows.repository import Workspace
    from flows.settings import parse_settings, with_settings
    from stages.params import parse_params
    from tools.preview import off_message, only_step
    from tools.preview import preview as draw

    out = Path.cwd() / options.out
    os.chdir(Workspace.find().root)
    text = Path("params.yaml").read_text(encoding="utf-8")
    params = parse_params(with_settings(text, parse_settings(options.set)))
    params = only_step(params, options.step) if options.step else params
    drawn = draw(Path("data", "raw"), params, out, options.n)
    if off := off_message(params):
        print(f"preview: {off}", file=sys.stderr)
    print(f"preview: {drawn} in {options.out}")
    return 0


def formats(options: argparse.Namespace) -> int:
    from flows.report import table
    from tools.catalogue import format_rows

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

    from tools.catalogue import albumentations_names, step_rows, steps_text

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

    from flows.report import table
    from stages.dataset.findings import CATALOGUE

    if options.json:
        print_json({code: asdict(rule) for code, rule in CATALOGUE.items()})
    else:
        rows = [[code, rule.severity, rule.action, "/".join(rule.allowed)] for code, rule in CATALOGUE.items()]
        lines = table([["code", "severity", "default", "allowed"], *rows])
        meanings = ["meaning", *(rule.meaning for rule in CATALOGUE.values())]
        print("\n".join(f"{line}  {meaning}" for line, meaning in zip(lines, meanings, strict=True)))
    return 0


def print_json(content: object) -> None:
    print(json.dumps(content, indent=2, ensure_ascii=False))
