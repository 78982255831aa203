"""The pipeline's stages; dvc.yaml says in which order they run."""

import importlib.util
import signal
import sys

if importlib.util.find_spec("pyarrow") is None:
    sys.exit(
        f"error: {sys.executable} has not the packages that Shardsmith needs; "
        "activate its environment first: source .venv/bin/activate (`make dataset` makes it)"
    )


class _NoPandas:
    """No stage uses pandas, but pyarrow imports it (0.4 s, 40 MB) to ask whether a list is a Series."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name, name=name)


if sys.argv[:1] == ["-m"]:  # a stage's own process, still importing
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    sys.meta_path.insert(0, _NoPandas())
