"""The pipeline's stages; dvc.yaml says in which order they run."""

import importlib.util
import signal
import sys

if importlib.util.find_spec("pyarrow") is None:
    sys.exit(
        f"error: {sys.executable} has not the packages that Shardsmith needs; "
        "activate its environment first: source .venv/bin/activate (`make dataset` makes it)"
    )

if sys.argv[:1] == ["-m"]:  # a stage's own process, still importing: Ctrl-C ends it without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)
