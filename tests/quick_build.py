"""What `shardsmith build --name NAME` does, without Prefect's 20 s: `python quick_build.py NAME` in a workspace."""

import sys

from flows.publish import Publishing
from flows.recording import prepare, record
from flows.repository import Workspace

if __name__ == "__main__":
    workspace = Workspace.find()
    dataset = prepare(workspace, sys.argv[1], print)
    workspace.dvc("repro")
    record(workspace, dataset, sys.argv[1], print, Publishing())
