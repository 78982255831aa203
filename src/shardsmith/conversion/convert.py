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

from shardsmith.conversion.options import (
    dataset_name,
    default_out,
    fractions_in_words,
    in_own_words,
    make_params,
)
from shardsmith.dataset.archive import check_there, opened, pack, replace_folder, zip_path
from shardsmith.dataset.errors import RawDataError, paint
from shardsmith.dataset.findings import Finding, count_actions, summarise
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Manifest
from shardsmith.formats.choice import check_masks, check_writer
from shardsmith.formats.losses import find_losses, fitted, in_brief
from shardsmith.formats.readme import Description, group_of, write_readme
from shardsmith.formats.registry import WRITERS
from shardsmith.formats.shared.ids import image_ids
from shardsmith.formats.shared.job import ExportJob
from shardsmith.ledger.counts import count_manifest
from shardsmith.pipeline.ingest import read_raw, take_in
from shardsmith.pipeline.intake.find import titles
from shardsmith.pipeline.splits.split import split as split_images
from shardsmith.pipeline.validate import validate

_KEY = re.compile(r"\b(ingest|validate|split|export)\.[a-z_]+")
_KEYS = "{key} is a key of a workspace's params.yaml (`shardsmith init` makes one); convert takes the defaults"


@dataclass(frozen=True)
class Converted:
    """What a conversion came to; findings as the pipeline has them, losses among them. out: the folder or zip."""

    read_as: str
    to: str
    out: Path
    images: int
    boxes: int
    findings: list[Finding]


def convert(
    source: str | Path,
    to: str,
    out: str | Path | None = None,
    read_as: str = "auto",
    fractions: str | None = None,
    *,
    name: str | None = None,
    zipped: bool = False,
    masks: bool = False,
) -> Converted:
    """Read a folder or an archive, check it, and write it in the format `to` into `out`, which must not exist.

    Args:
        out: the folder, or with `zipped` the file, to make; SOURCE-FORMAT here by default.
        read_as: the source's format; "auto" detects it.
        fractions: "0.7,0.2,0.1" gives train, valid and test; None keeps the splits that the source has.
        name: what the dataset is called; made of the source's name by default.
        zipped: one zip file instead of a folder.
        masks: a mask for each object with an outline, where the format carries masks.

    Raises:
        UsageError: an unknown format, name, or fractions that are none.
        RawDataError: the source cannot be read, or `out` exists.
    """
    source = Path(source)
    check_writer(to)
    if masks:
        check_masks(to)
    params = make_params(read_as, fractions, masks)
    dataset = dataset_name(name, source)
    out = Path(out) if out else default_out(source, to)
    out = zip_path(out) if zipped else out
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RawDataError(f"{out}: exists already; name another place with --out")
    check_there(source)
    with opened(source) as folder, tempfile.TemporaryDirectory(prefix="shardsmith-") as work, in_own_words():
        raw, read, found_format = read_raw(folder, params.ingest, Path(work))
        manifest, label_map, findings = take_in(raw, read, params.ingest, LabelMap(dataset))
        manifest, findings = validate(manifest, findings, params)
        if fractions:
            manifest, own = split_images(manifest, params)
            findings = [*findings, *own]
        losses = find_losses(manifest, WRITERS[to], masks)
        findings = [*findings, *losses]
        about = _describe(manifest, label_map, findings, found_format, fractions)
        about = replace(
            about,
            facts=read.facts,
            annotation_group=group_of(read.facts, "objects"),
            left_out=in_brief(losses),
        )
        job = ExportJob(fitted(manifest, WRITERS[to].carries), label_map, masks=masks, facts=read.facts)
        job = replace(job, numbers=image_ids(manifest.images))
        _write(job, to, about, out, zipped)
    return Converted(found_format, to, out, manifest.images.num_rows, manifest.annotations.num_rows, findings)


def _write(job: ExportJob, to: str, about: Description, out: Path, zipped: bool) -> None:
    """All of it appears at `out`, or nothing."""
    part = out.with_name(f".{out.name}.part")
    packed = out.with_name(f".{out.name}.coming")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        WRITERS[to].write(job, part)
        write_readme(part, about, WRITERS[to].loading)
        if zipped:
            pack(part, packed)
            packed.replace(out)
        else:
            replace_folder(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        packed.unlink(missing_ok=True)


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
        split=f"by a hash of each image's content ({fractions_in_words(fractions)})"
        if fractions
        else "as the source has it",
        preprocessing=[],
        augmentation=[],
    )


def report(done: Converted, fractions: str | None = None) -> str:
    """The findings on the error stream, and a line of what was done."""
    if done.findings:
        lines = [paint(line, line.partition(" ")[0], sys.stderr) for line in summarise(done.findings)]
        print("\n".join(lines), file=sys.stderr)
        if key := _KEY.search(" ".join(lines)):
            print(_KEYS.format(key=key[0]), file=sys.stderr)
    splits = f"; {fractions_in_words(fractions)}" if fractions else ""
    counts = f"{done.images:,} images and {done.boxes:,} annotations"
    return f"convert: {counts}, read as {done.read_as}, as {done.to} in {done.out}{splits}"
