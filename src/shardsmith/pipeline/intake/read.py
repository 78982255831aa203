"""data/raw -> what its annotations say, in whatever formats they are."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.images import EXTENSIONS, probe_file
from shardsmith.dataset.workers import map_items
from shardsmith.formats.csv.tags import add_tags_beside
from shardsmith.formats.masks.format import masks_not_read
from shardsmith.formats.registry import READERS
from shardsmith.formats.shared.claims import take_out_contested
from shardsmith.formats.shared.facts import facts_beside, merged
from shardsmith.formats.shared.raw_folder import RawFolder, Source
from shardsmith.pipeline.intake.find import Formats, find_formats, joined_name, no_file, said
from shardsmith.pipeline.intake.merge import merge, name_twice
from shardsmith.pipeline.intake.orientation import count_votes, decide, name_decision, set_orientation
from shardsmith.pipeline.intake.unread import find_unread, unread_in_words, with_kind
from shardsmith.pipeline.params import IngestParams


def probe_images(folder: RawFolder) -> None:
    """Fill folder.images: hash every image file and read its header.

    Raises:
        RawDataError: there is no image file.
    """
    if not folder.image_files:
        raise RawDataError(
            f"{folder.root}: no image among {len(folder.files)} files; known: {' '.join(sorted(EXTENSIONS))}"
            f"{unread_in_words(folder)}"
        )
    paths = (str(folder.path(image_id)) for image_id in folder.image_files)
    probed = map_items(probe_file, paths, "ingest: hashing", total=len(folder.image_files))
    folder.images = dict(zip(folder.image_files, probed, strict=True))


def unpack_images(folder: RawFolder, formats: Formats, out: Path | None) -> None:
    """Write the images that stand inside annotation files to `out`/images; what stood there is removed.

    Raises:
        RawDataError: there are such images, and no `out`.
    """
    if out is not None:
        shutil.rmtree(out / "images", ignore_errors=True)
    for name, files in formats.items():
        unpack = READERS[name].unpack
        if unpack is not None:
            unpack(folder, files, out and out / "images")


def read_raw(raw: Path, params: IngestParams, out: Path | None = None) -> tuple[RawFolder, Source, str]:
    """The folder with its images probed, what its annotations say as they stand, and the names of their formats.

    Args:
        raw: the folder.
        out: the stage's own folder; images that stand inside annotation files are unpacked to `out`/images.

    Raises:
        RawDataError: the folder cannot be read as a dataset.
    """
    folder = RawFolder.scan(raw)
    formats = find_formats(folder, params.format)
    forced = "" if params.format == "auto" else " (as asked for)"
    print(f"ingest: found {said(formats)}{forced}", file=sys.stderr)
    unpack_images(folder, formats, out)
    probe_images(folder)
    source = _read_upright(folder, formats, params.orientation)
    if not any(READERS[name].annotation_images for name in formats):
        source.findings += masks_not_read(folder, READERS[next(iter(formats))])
    source.findings = [with_kind(finding) for finding in source.findings]
    claimed = {file for files in formats.values() for file in files}
    add_tags_beside(folder, source, claimed)
    source.findings += find_unread(folder, claimed)
    if not source.entries:
        first = f"; the first of {len(source.findings)} findings: {source.findings[0]}" if source.findings else ""
        name = joined_name(formats)
        if not any(formats.values()):
            raise RawDataError(no_file(folder, name))
        raise RawDataError(
            f"{raw}: no image has an annotation that can be read as {name}{first}{unread_in_words(folder)}"
        )
    source.facts = merged(facts_beside(folder), source.facts)
    return folder, source, joined_name(formats)


def _read_upright(folder: RawFolder, formats: Formats, orientation: str) -> Source:
    """Read once; where turned images do not say which way they are meant and the others do, once more."""
    if orientation != "auto":
        set_orientation(folder, orientation)
        return read_formats(folder, formats)
    source = read_formats(folder, formats)
    votes, unsaid = count_votes(folder)
    way = decide(votes)
    if not unsaid or not way:
        return source
    set_orientation(folder, way)
    source = read_formats(folder, formats)
    source.findings.append(name_decision(votes, unsaid, way))
    return source


def read_formats(folder: RawFolder, formats: Formats) -> Source:
    """Each format's files by its own reader, which does not see those of the others."""
    folder.forget_matches()
    sources, twice = {}, []
    for name, files in formats.items():
        others = {file for other, claimed in formats.items() if other != name for file in claimed}
        sources[name] = READERS[name].read(folder.without(others) if others else folder, files)
        twice += name_twice(folder)
    source = merge(sources)
    source.findings += [*twice, *folder.matched.values(), *take_out_contested(folder, source)]
    return source
