"""What must be set before Prefect or DVC is imported: no telemetry, no update checks, a home of our own.

And what is secret in it."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import tempfile
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


def kept_secret(name: str, before: str = "") -> str:
    """This user's secret of that name in our folder: made once, for nobody else to read.

    Args:
        before: what it begins with.

    Raises:
        OSError: the folder cannot be written, or is another user's.
    """
    home, path = state_home(), state_home() / name
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=home) as file:
            file.write(f"{before}{secrets.token_urlsafe(32)}")
            file.flush()
            with contextlib.suppress(FileExistsError):  # another process was faster
                os.link(file.name, path)
    path.chmod(0o600)
    return path.read_text(encoding="utf-8").strip()


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
