"""The Python that builds a version again: the one that runs, if its code or packages are the version's, else another.

The other is made from requirements.lock as it stands at the tag, by uv where there is one, and kept for the next time
under ~/.cache/shardsmith/environments, by the hash of that file.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote

from shardsmith.dataset.errors import ParamsError, VersionError
from shardsmith.pipeline.code import changed_stages
from shardsmith.pipeline.params import parse_params
from shardsmith.proof.checks import Recorded
from shardsmith.workspace.lock_file import read_leniently
from shardsmith.workspace.log import Log
from shardsmith.workspace.paths import CODE, OWN_SOURCE, PARAMS, REQUIREMENTS

_PIN = re.compile(r"^([A-Za-z0-9_.-]+)==(\S+)", re.MULTILINE)
_ADDRESS = re.compile(r" @ [\w+]+://[^/]*(/[^@\s]+)")
_SAID = re.compile(r"^\s*(fatal|error|cause|ERROR): (.+)$", re.MULTILINE)  # by git, uv and pip


@dataclass(frozen=True)
class Environment:
    """A Python, and the variables of the processes that run in its environment."""

    python: Path
    variables: dict[str, str]


def environment_of(recorded: Recorded, clone: Path, log: Log) -> Environment:
    """The environment of a version.

    Args:
        clone: where its tree stands.
        log: is told when an environment is made, which takes minutes.

    Raises:
        VersionError: it cannot be made.
    """
    here = Path(sys.executable)
    python = here if is_here(recorded, clone) else made(recorded.tag, _text(recorded, REQUIREMENTS), log)
    # dvc.yaml says `python`; and what this process imports from is not what the version was made with
    variables = os.environ | {"PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", "")])}
    if python != here:
        variables.pop("PYTHONPATH", None)
    if has_own_source(recorded):
        variables["PYTHONPATH"] = str((clone / OWN_SOURCE).parent)
    return Environment(python, variables)


def is_here(recorded: Recorded, clone: Path) -> bool:
    """Whether what is installed here gives the version's bytes: its code, or the packages for code that it brings."""
    if CODE in recorded.files:
        try:
            params = parse_params(_text(recorded, PARAMS), PARAMS, clone)
        except ParamsError:
            return False  # of another version's params
        if not changed_stages(read_leniently(_text(recorded, CODE)), params):
            return True
    brings_code = has_own_source(recorded) or CODE not in recorded.files
    return brings_code and not other_packages(_text(recorded, REQUIREMENTS), _installed)


def has_own_source(recorded: Recorded) -> bool:
    """Whether it is a version in Shardsmith's own repository, whose stages run the code beside them."""
    return any(file.startswith(f"{OWN_SOURCE}/") for file in recorded.files)


def other_packages(pins: str, installed: Callable[[str], str | None]) -> list[str]:
    """Each package of requirements.lock that is here in another version, or not at all: "numpy 2.4.6 (here: none)".

    Args:
        installed: name -> version, or None.
    """
    found = [(name, wanted, installed(name)) for name, wanted in _PIN.findall(pins)]
    return [f"{name} {wanted} (here: {here or 'none'})" for name, wanted, here in found if here != wanted]


def made(tag: str, lock: str, log: Log) -> Path:
    """The Python of an environment with what a requirements.lock lists: kept from before, or made now, whole or not.

    Raises:
        VersionError: a package cannot be had.
    """
    lines = [line for line in lock.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise VersionError(f"{tag}: other code made it than runs here, and it has no {REQUIREMENTS} that says which")
    place = _kept() / hashlib.sha256(lock.encode()).hexdigest()[:16]
    if not _python(place).exists():  # nor where the Python that it was made with is gone
        log(f"making the environment of {tag}: {len(lines):,} packages")
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{place.name}.", dir=place.parent) as near:
            part = Path(near) / "environment"
            _install(part, lock, tag)
            _put(part, place)
        log(f"the environment of {tag} is kept in {place}")
    return _python(place)


def why_not(lock: str, said: str) -> str:
    """What uv or pip could not get of requirements.lock, and why, in one line."""
    found = _SAID.findall(said)
    fatal = [text for kind, text in found if kind == "fatal"]
    why = (fatal or [text for _, text in found][-1:] or [said.strip()])[0]
    said = unquote(said)
    line = next((line for line in lock.splitlines() if (wanted := _wanted(line)) and wanted in said), "")
    return f"{line}: {why}" if line else why


def _wanted(line: str) -> str:
    """What stands in a message about a line of requirements.lock: `numpy==2.4.6`, or the path of an address."""
    address = _ADDRESS.search(line)
    return unquote(address[1]) if address else line.strip()


def _install(folder: Path, lock: str, tag: str) -> None:
    listed = folder.with_name(REQUIREMENTS)
    listed.write_text(lock, encoding="utf-8")
    python, own = str(_python(folder)), Path(sys.executable).parent
    if uv := shutil.which("uv", path=str(own)) or shutil.which("uv"):
        _run([uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, str(folder)], lock, tag)
        install = [uv, "pip", "install", "--quiet", "--python", python]
    else:
        _run([sys.executable, "-m", "venv", str(folder)], lock, tag)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*install, "--no-deps", "-r", str(listed)], lock, tag)  # the file lists all there is


def _run(command: Sequence[str], lock: str, tag: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        why = why_not(lock, done.stderr + done.stdout)
        raise VersionError(
            f"{tag}: its environment cannot be made: {why}; mend that and try again, or verify in an environment that "
            f"has what {REQUIREMENTS} at the tag lists"
        )


def _put(part: Path, place: Path) -> None:
    """Under its name, unless another process was faster."""
    if place.exists() and not _python(place).exists():
        shutil.rmtree(place)
    try:
        part.rename(place)
    except OSError:
        if not _python(place).exists():
            raise


def _kept() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "shardsmith" / "environments"


def _python(environment: Path) -> Path:
    return environment / "bin" / "python"


def _text(recorded: Recorded, file: str) -> str:
    return recorded.files.get(file, b"").decode(errors="replace")


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
