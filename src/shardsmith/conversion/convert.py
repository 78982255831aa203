"""`shardsmith convert`: any format to any format in one command, without git, DVC or a version.

The same readers, checks and writers as the pipeline's.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from shardsmith.dataset.archive import opened, replace_folder
from shardsmith.dataset.errors import ParamsError, RawDataError
from shardsmith.dataset.findings import Finding, count_actions, summarise
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Manifest
from shardsmith.formats.losses import find_losses, fitted
from shardsmith.formats.readme import Description, format_readme
from shardsmith.formats.registry import READERS, WRITERS
from shardsmith.formats.shared.job import ExportJob
from shardsmith.ledger.counts import count_manifest
from shardsmith.pipeline.ingest import ingest
from shardsmith.pipeline.intake.find import titles
from shardsmith.pipeline.params import Params, parse_params
from shardsmith.pipeline.splits.split import split as split_images
from shardsmith.pipeline.validate import validate


@dataclass(frozen=True)
class Converted:
    """What a conversion came to; findings as the pipeline has them, losses among them."""

    read_as: str
    images: int
    boxes: int
    findings: list[Finding]


def convert(
    source: str | Path, to: str, out: str | Path, read_as: str = "auto", fractions: str | None = None
) -> Converted:
    """Read a folder or an archive, check it, and write it in the format `to` into `out`, which must not exist.

    Args:
        read_as: the source's format; "auto" finds it.
        fractions: "0.7,0.2,0.1" gives train, valid and test; None keeps the splits that the source has.

    Raises:
        ParamsError: an unknown format, or fractions that are none.
        RawDataError: the source cannot be read, or `out` exists.
    """
    source, out = Path(source), Path(out)
    if to not in WRITERS:
        raise ParamsError(f"--to {to}: no such format; allowed: {', '.join(WRITERS)}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RawDataError(f"{out}: exists already; name a folder that does not")
    params = make_params(read_as, fractions)
    with opened(source) as folder, tempfile.TemporaryDirectory(prefix="shardsmith-") as work:
        name = re.sub(r"[^a-z0-9_]+", "_", source.name.split(".")[0].lower()).strip("_") or "dataset"
        start = LabelMap(name if name[0].isalpha() else f"d{name}")
        manifest, label_map, findings, found_format = ingest(folder, params.ingest, start, Path(work))
        manifest, findings = validate(manifest, findings, params)
        if fractions:
            manifest, own = split_images(manifest, params)
            findings = [*findings, *own]
        findings = [*findings, *find_losses(manifest, to, WRITERS[to].carries)]
        part = out.with_name(f".{out.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        try:
            WRITERS[to].write(ExportJob(fitted(manifest, WRITERS[to].carries), label_map), part)
            about = _describe(manifest, label_map, findings, found_format, fractions)
            (part / "README.md").write_text(format_readme(about, WRITERS[to].loading), encoding="utf-8")
            replace_folder(part, out)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return Converted(found_format, manifest.images.num_rows, manifest.annotations.num_rows, findings)


def make_params(read_as: str, fractions: str | None) -> Params:
    """
    Raises:
        ParamsError: an unknown format, or fractions that are none.
    """
    if read_as != "auto" and read_as.partition(":")[0] not in READERS:
        raise ParamsError(f"--from {read_as}: no such format; allowed: auto, {', '.join(READERS)}")
    text = f"ingest: {{format: '{read_as}'}}"
    if fractions is None:
        return parse_params(text, "--from")
    try:
        train, valid, test = (float(part) for part in f"{fractions},0,0".split(",")[:3])
    except ValueError:
        raise ParamsError(f"--split {fractions}: not three shares; for example --split 0.7,0.2,0.1") from None
    return parse_params(f"{text}\nsplit: {{fractions: {{train: {train}, valid: {valid}, test: {test}}}}}", "--split")


def _describe(
    manifest: Manifest, label_map: LabelMap, findings: list[Finding], found_format: str, fractions: str | None
) -> Description:
    rows = [replace(row, split=row.split or "train") for row in manifest.image_rows()]
    return Description(
        label_map=label_map,
        annotation_group="objects",
        source=f"data labelled as {titles(found_format)}",
        counts=count_manifest(Manifest.of(rows, manifest.annotation_rows())),
        findings=count_actions(findings),
        split=f"by a hash of each image's content ({fractions})" if fractions else "as the source has it",
        preprocessing=[],
        augmentation=[],
    )


def report(done: Converted, to: str, out: Path) -> str:
    """The findings on the error stream, and a line of what was done."""
    if done.findings:
        print("\n".join(summarise(done.findings)), file=sys.stderr)
    return f"convert: {done.images:,} images and {done.boxes:,} annotations, read as {done.read_as}, as {to} in {out}"
