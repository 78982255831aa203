"""How a stage's program runs: its arguments, the check of its code, and its end."""

from __future__ import annotations

import argparse
import inspect
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from shardsmith.installation import do_without_pandas

if Path(sys.argv[0]).parent.name == "stages":  # a stage's own process, with slow imports ahead
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # before pyarrow is imported: its own keeps 40 MB


def run(main: Callable[..., None], pandas: bool = False) -> NoReturn:
    """Run a stage's `main` with the paths of the command line, and exit: 0, or 1 with one clear message.

    Args:
        main: its parameters are paths, one an argument; its module's docstring is the help.
        pandas: whether the stage imports pandas.
    """
    parser = argparse.ArgumentParser(
        description=sys.modules[main.__module__].__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in inspect.signature(main).parameters:
        parser.add_argument(name, type=Path)
    paths = vars(parser.parse_args())

    def work() -> None:
        from shardsmith.pipeline.code import check_code
        from shardsmith.pipeline.params import load_params

        if not pandas:
            do_without_pandas()
        check_code(Path.cwd(), load_params())
        main(**paths)

    from shardsmith.dataset.errors import run as run_command

    run_command(work)
