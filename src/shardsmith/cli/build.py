"""Commands that build: build, serve, report."""

from __future__ import annotations

import argparse
import json
import shutil
import webbrowser
from pathlib import Path

from shardsmith.cli.parser import Commands, add_command, add_json, add_settings, count, print_json


def add(commands: Commands) -> None:
    command = add_command(
        commands, "build", build, "build a version from data/raw and params.yaml, and record it",
        "build                                      a version named by the time",
        "build --name v1.0.0",
        "build --name big -S preprocess.enabled=true -S augment.copies=3",
    )  # fmt: skip
    command.add_argument("--name", help="what it is called; the UTC time by default")
    add_settings(command, "change a value of params.yaml; it stays if the build succeeds")
    command.add_argument("--no-push", dest="push", action="store_false", help="record it here, and publish nothing")
    command.add_argument("--verify-remote", action="store_true", help="read every pushed object back and hash it")
    command.add_argument("--check-all", action="store_true", help="hash all stored data, not what is new alone")
    command.add_argument("--compact", action="store_true", help="plan all shards anew, as many as the images need")
    command.add_argument(
        "--allow-label-change", action="store_true", help="record a label map that breaks readers of the last version"
    )
    command.add_argument(
        "--no-wait", dest="wait", action="store_false", help="fail where another build is at work, not wait for it"
    )
    add_json(command)

    command = add_command(
        commands, "report", report, "open a version's page in the browser",
        "report", "report v1.0.0 --out page.html",
    )  # fmt: skip
    command.add_argument("name", nargs="?", metavar="NAME", help="NAME, or DATASET@NAME; the one built last by default")
    command.add_argument("--out", type=Path, metavar="FILE", help="write it there instead")

    command = add_command(
        commands, "serve", serve, "open the page, with Prefect's server, a worker and a schedule behind it",
        "serve", "serve birds cars", "serve --cron '0 3 * * *' --timezone Europe/Berlin",
    )  # fmt: skip
    command.add_argument(
        "folders",
        nargs="*",
        type=Path,
        metavar="DIR",
        help="workspaces to open; those here by default",
    )
    command.add_argument("--cron", help="when to build, five fields; by default as it was set before")
    command.add_argument("--timezone", metavar="ZONE", default="UTC", help="with --cron: of its hours, UTC by default")
    command.add_argument("--port", type=count, help="of Prefect's server; 4200, or where it runs already, by default")
    command.add_argument("--page-port", type=count, help="of the page; 4300, or the next that is free, by default")
    command.add_argument(
        "--host",
        default="127.0.0.1",
        help="where the page listens; for others to reach it, set SHARDSMITH_PASSWORD",
    )
    command.add_argument("--no-page", dest="page", action="store_false", help="Prefect's server and worker alone")


def build(options: argparse.Namespace) -> int:
    from shardsmith.workspace.settings import parse_settings, with_settings
    from shardsmith.workspace.workspace import Workspace

    workspace = Workspace.find()
    settings = parse_settings(options.set)
    if options.compact:
        settings.setdefault("export.era", workspace.params().export.era + 1)
    with_settings(workspace.params_text(), settings, workspace.root)  # before what is slow to import
    from shardsmith.flow.build import build as run_flow
    from shardsmith.versions import summary
    from shardsmith.versions.publish import Publishing
    from shardsmith.versions.version import own_dataset
    from shardsmith.workspace.paths import EXPORT, METRICS

    how = Publishing(options.push, options.verify_remote, options.allow_label_change, options.check_all)
    outcome = run_flow(workspace, options.name, settings, how, options.wait)
    if options.json:
        print_json({"dataset": own_dataset(workspace), "tag": outcome.tag, "made": outcome.made})
    elif outcome.made:
        metrics = json.loads((workspace.root / METRICS).read_text(encoding="utf-8"))
        formats = workspace.params().export.formats
        print(f"\n{summary.summary(metrics, outcome.tag, EXPORT, formats)}")
    else:
        print(outcome.message)
    return 0


def report(options: argparse.Namespace) -> int:
    from shardsmith.versions.page import find_page
    from shardsmith.workspace.environment import prepare_environment
    from shardsmith.workspace.workspace import Workspace

    workspace = Workspace.find()
    prepare_environment()
    page = find_page(workspace, options.name)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(page, options.out)
        page = options.out
    else:
        webbrowser.open(page.resolve().as_uri())
    print(page)
    return 0


def serve(options: argparse.Namespace) -> int:
    if options.timezone != "UTC" and not options.cron:
        options.wrong("--timezone goes with --cron; for example --cron '0 3 * * *'")
    from shardsmith.workspace.environment import prepare_environment
    from shardsmith.workspace.workspace import Workspace

    prepare_environment()
    if options.cron:
        from shardsmith.flow.deploy import check_schedule

        check_schedule(options.cron, options.timezone)
    if options.page:
        from shardsmith.app.serve import serve as run_page

        again = [] if not options.cron else ["--cron", options.cron, "--timezone", options.timezone]
        again += [] if not options.port else ["--port", str(options.port)]
        return run_page(Path.cwd(), options.folders, options.host, options.page_port, again)
    from shardsmith.flow.serve import serve as run_server

    if len(options.folders) > 1:
        options.wrong("--no-page serves one workspace; start one for each")
    workspace = Workspace.find(*options.folders)
    run_server(workspace, options.cron, options.timezone, options.port)
    return 0
