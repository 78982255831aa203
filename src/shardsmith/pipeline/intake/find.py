"""Which formats the annotation files of a folder are in."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

from shardsmith.dataset.errors import RawDataError
from shardsmith.formats.masks.format import why_no_masks
from shardsmith.formats.panlabel import format as panlabel
from shardsmith.formats.registry import READERS, set_aside_annotations
from shardsmith.formats.shared.raw_folder import RawFolder
from shardsmith.pipeline.intake.unread import unread_in_words

Formats = dict[str, list[str]]
_AND = " + "


class SeveralFormats(RawDataError):
    """A file that could be of more than one format; what: where and which. names: of the formats."""

    def __init__(self, what: str, names: list[str]) -> None:
        super().__init__(f"{what}; move what is not meant away, or set ingest.format to {' or '.join(names)}")
        self.what, self.names = what, names


def find_formats(folder: RawFolder, name: str = "auto") -> Formats:
    """Format -> its annotation files, from the files themselves unless a name forces one format.

    panlabel is asked only where none of our own formats is there.

    Raises:
        RawDataError: no format fits, or two claim the same file.
    """
    set_aside_annotations(folder)
    if name != "auto":
        return {name: READERS[name].detect(folder)}
    own = {name: reader for name, reader in READERS.items() if name != "panlabel"}
    formats = {name: files for name, reader in own.items() if (files := reader.detect(folder))}
    if not formats:
        formats = _rare(folder)
    if not formats:
        raise RawDataError(_nothing(folder))
    if "masks" in formats:  # anything but a folder's name says more of the images; `read_raw` names the masks then
        formats.pop("class_folders", None)
    if len(formats) > 1:
        formats.pop("masks", None)
    if claims := _claimed_twice(formats):
        file, names = claims
        what = f"{folder.root}: annotations in {len(formats)} formats, and {file} could be of {' and '.join(names)}"
        raise SeveralFormats(what, names)
    return formats


def _rare(folder: RawFolder) -> Formats:
    """What panlabel reads.

    Raises:
        RawDataError: it cannot read a file; the message also names files of known kinds.
    """
    try:
        return {f"panlabel:{form}": files for form, files in panlabel.forms(folder).items()}
    except RawDataError as error:
        raise RawDataError(f"{error}{unread_in_words(folder)}") from None


def find_format(folder: RawFolder, name: str = "auto") -> tuple[str, list[str]]:
    """(format, its annotation files), where there is one.

    Raises:
        RawDataError: no format fits, or more than one does.
    """
    formats = find_formats(folder, name)
    if len(formats) > 1:
        raise RawDataError(f"{folder.root}: annotations in {len(formats)} formats ({said(formats)})")
    return next(iter(formats.items()))


def _claimed_twice(formats: Formats) -> tuple[str, list[str]] | None:
    """The first file that several formats claim, and these."""
    claims: dict[str, list[str]] = defaultdict(list)
    for name, files in formats.items():
        for file in dict.fromkeys(files):
            claims[file].append(name)
    return next(((file, names) for file, names in sorted(claims.items()) if len(names) > 1), None)


def _nothing(folder: RawFolder) -> str:
    return (
        f"{folder.root}: no annotations found among {_seen(folder)}; {why_no_masks(folder)}"
        f"formats that can be read: {', '.join(READERS)}"
    )


def no_file(folder: RawFolder, name: str) -> str:
    """What is said where nothing is of the one format that was asked for."""
    return (
        f"{folder.root}: nothing of the format {name} ({READERS[name].title}) among {_seen(folder)}; "
        f"set ingest.format to auto to have the format detected"
    )


def _seen(folder: RawFolder) -> str:
    """How many files of which kinds, and what those are that are not read."""
    kinds = Counter(Path(file).suffix.lower() or "no extension" for file in folder.files)
    seen = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(6))
    return f"{len(folder.files)} files ({seen}){unread_in_words(folder)}"


def said(formats: Formats) -> str:
    """ "voc: a.xml, b.xml; coco: c.json" """
    return "; ".join(f"{name}: {some(files)}" for name, files in formats.items())


def some(files: list[str], shown: int = 3) -> str:
    listed = ", ".join(files[:shown])
    return listed + (f" and {len(files) - shown} more" if len(files) > shown else "") or "no file"


def joined_name(formats: Formats) -> str:
    """What a source of these formats is called: "coco + voc"."""
    return _AND.join(formats)


def titles(name: str) -> str:
    """The formats of a source's name, for people: "COCO JSON and PASCAL VOC XML"."""
    return " and ".join(READERS[one].title for one in name.split(_AND))
