"""What must be set before Prefect or DVC is imported: no telemetry, no update checks, a home of our own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",  # a busy machine takes longer than Prefect's 20
    "DVC_NO_ANALYTICS": "1",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def state_home() -> Path:
    """This user's folder for what Prefect keeps: its database, the secret and the address of its server."""
    base = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".local" / "state") / "shardsmith"


def prepare_environment() -> None:
    """Set what is not set yet, for this process and those it starts.

    Prefect has a home of ours (`state_home`), apart from another Prefect on this machine. Whoever sets PREFECT_HOME or
    PREFECT_API_URL keeps theirs.
    """
    for key, value in {**_QUIET, "PREFECT_HOME": str(state_home())}.items():
        os.environ.setdefault(key, value)
    # dvc.yaml says `python`: it must be this one, whether or not the environment is activated
    folder = str(Path(sys.executable).parent)
    if os.environ.get("PATH", "").split(os.pathsep)[0] != folder:
        os.environ["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", "")])
