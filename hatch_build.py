"""The version, with the commit it is built from: 0.2.0 at the tag v0.2.0, else 0.2.0+g1a2b3c4d5."""

import subprocess
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

BASE = "0.2.0"


class Version(MetadataHookInterface):
    def update(self, metadata: dict) -> None:
        metadata["version"] = BASE + _local(Path(self.root))


def _local(root: Path) -> str:
    """The commit as a local version label; "" at a release's tag and outside of git (an sdist has its version)."""
    if _git(root, "rev-parse", "--show-toplevel") != str(root.resolve()):
        return ""
    if f"v{BASE}" in _git(root, "tag", "--points-at", "HEAD").split():
        return ""
    commit = _git(root, "rev-parse", "--short=9", "HEAD")
    changed = ".changed" if _git(root, "status", "--porcelain", "--untracked-files=no", "--", "src") else ""
    return f"+g{commit}{changed}" if commit else ""


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if not done.returncode else ""
