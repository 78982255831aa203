"""What a stage leaves in its folder: the manifest, and every finding so far in findings.csv."""

from __future__ import annotations

from pathlib import Path

from stages.dataset.errors import StageError
from stages.dataset.findings import Finding, read_findings, write_findings
from stages.dataset.manifest import Manifest


def read_stage(folder: Path) -> tuple[Manifest, list[Finding]]:
    """
    Raises:
        StageError: the folder does not hold a stage's output.
    """
    manifest = Manifest.read(folder)
    try:
        return manifest, read_findings(folder / "findings.csv")
    except (OSError, KeyError) as error:
        raise StageError(f"{folder / 'findings.csv'}: cannot be read ({error}); run dvc repro") from None


def write_stage(folder: Path, manifest: Manifest, findings: list[Finding]) -> None:
    manifest.write(folder)
    write_findings(findings, folder / "findings.csv")
