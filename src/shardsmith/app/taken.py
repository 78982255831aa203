"""A source as `shardsmith check` sees it, kept in a folder: what an upload is, and what a preview and a search need.

    python -m shardsmith.app.taken SOURCE FOLDER [WORKSPACE]

Paths of images are absolute: the page stands in no workspace.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from shardsmith.conversion.check import look_into, make_check_params
from shardsmith.dataset.errors import run
from shardsmith.dataset.findings import Finding, read_findings, write_findings
from shardsmith.dataset.manifest import Manifest
from shardsmith.installation import do_without_pandas
from shardsmith.pipeline.splits.decisions import Decisions, read_decisions
from shardsmith.pipeline.splits.record import Record, read_record
from shardsmith.workspace.paths import DECISIONS, SPLITS
from shardsmith.workspace.workspace import Workspace

_ABOUT = "about.json"


@dataclass(frozen=True)
class Taken:
    """folder: where its tables are; they are read as they are asked for."""

    folder: Path

    @property
    def is_there(self) -> bool:
        return (self.folder / _ABOUT).is_file()  # written last

    @property
    def read_as(self) -> str:
        """The format's name: "voc", or of several "coco + voc"."""
        return self._about()["read_as"]

    @property
    def facts(self) -> dict[str, str]:
        """What the source says of itself: licence, address, ..."""
        return self._about()["facts"]

    @property
    def classes(self) -> list[str]:
        return self._about()["classes"]

    def manifest(self) -> Manifest:
        """As ingest wrote it: with what validate drops."""
        return Manifest.read(self.folder / "ingest")

    def valid(self) -> Manifest:
        """What a build would go on with, with the splits that it would give."""
        return Manifest.read(self.folder / "valid")

    def findings(self) -> list[Finding]:
        return read_findings(self.folder / "findings.csv")

    def _about(self) -> dict:
        return json.loads((self.folder / _ABOUT).read_text(encoding="utf-8"))


def take(source: Path, folder: Path, workspace: Workspace | None) -> None:
    """Look into a folder of raw data, and leave what was seen in `folder`.

    Raises:
        ShardsmithError: the source cannot be read as a dataset.
    """
    params = make_check_params(workspace.params() if workspace else None, "auto")
    decisions = read_decisions(workspace.root / DECISIONS) if workspace else Decisions()
    record = read_record(workspace.root / SPLITS) if workspace else Record()
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "files").mkdir(parents=True)
    seen = look_into(source.resolve(), params, folder / "files", decisions, record)
    seen.manifest.write(folder / "ingest")
    seen.valid.write(folder / "valid")
    write_findings(seen.findings, folder / "findings.csv")
    about = {"read_as": seen.read_as, "facts": dict(seen.facts), "classes": list(seen.label_map.ids)}
    part = folder / f"{_ABOUT}.part"
    part.write_text(json.dumps(about), encoding="utf-8")
    part.rename(folder / _ABOUT)


def main() -> None:
    do_without_pandas()
    source, folder, *rest = map(Path, sys.argv[1:])
    take(source, folder, Workspace(rest[0]) if rest else None)


if __name__ == "__main__":
    run(main)
