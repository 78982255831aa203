"""Environments of their own for the packages that are compared with: benchmarks/work/NAME/bin/python."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

# package -> what is installed; the last versions that these figures were taken with stand in README.md
PEERS = {"tfds": ["tensorflow", "tensorflow-datasets", "importlib_resources"], "datumaro": ["datumaro[tf]"]}


def python_of(work: Path, name: str) -> Path:
    return work / name / "bin" / "python"


def install(work: Path) -> dict[str, str]:
    """Make what is missing; returns name -> why it cannot be used, for those that cannot."""
    failures = {}
    for name, packages in PEERS.items():
        if (work / name / "ready").exists():
            continue
        print(f"installing {' '.join(packages)} into {work / name} ...", file=sys.stderr)
        try:
            venv.create(work / name, with_pip=True)
            pip = [str(python_of(work, name)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *packages], check=True, capture_output=True, text=True)
            (work / name / "ready").touch()
        except subprocess.CalledProcessError as error:
            said = (error.stderr or "").strip().splitlines()
            failures[name] = f"not installed: {said[-1][:160] if said else error}"
    return failures


def version(work: Path, name: str) -> str:
    package = {"tfds": "tensorflow-datasets"}.get(name, name)
    code = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run([str(python_of(work, name)), "-c", code], capture_output=True, text=True)
    return done.stdout.strip()
