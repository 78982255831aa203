"""What `shardsmith build` does, without Prefect's 20 s: `python quick_build.py NAME` in a workspace.

With `--forked` also without the start of DVC and of each stage.
"""

import argparse
import sys
from functools import partial

from forked import fork_programs

from shardsmith.dataset.errors import run
from shardsmith.versions.publish import Publishing
from shardsmith.versions.record import prepare, record
from shardsmith.workspace.workspace import Workspace


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", nargs="?")
    parser.add_argument("--no-push", dest="push", action="store_false")
    parser.add_argument("--verify-remote", action="store_true")
    parser.add_argument("--allow-label-change", action="store_true")
    parser.add_argument("--check-all", action="store_true")
    parser.add_argument("--forked", action="store_true")
    options = parser.parse_args()
    if options.forked:
        fork_programs()
    log = partial(print, file=sys.stderr)
    workspace = Workspace.find()
    with workspace.lock(log):
        dataset = prepare(workspace, options.name, log)
        workspace.dvc("repro")
        how = Publishing(options.push, options.verify_remote, options.allow_label_change, options.check_all)
        print(record(workspace, dataset, options.name, log, how).message)


if __name__ == "__main__":
    run(main)
