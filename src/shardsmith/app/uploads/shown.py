"""What an upload is, for a person and for a script."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from shardsmith.app.pictures import Picture, picture_of
from shardsmith.app.uploads.store import Upload
from shardsmith.dataset.codes import Rule
from shardsmith.dataset.findings import Finding, count_actions, count_codes
from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.formats.registry import FORMATS

_GALLERY = 24
_OF_CODE = 4


@dataclass(frozen=True)
class Look:
    """The tables of an upload that was looked at."""

    manifest: Manifest
    images: dict[str, Image]
    annotations: dict[str, list[Annotation]]
    findings: list[Finding]
    read_as: str


@dataclass(frozen=True)
class Group:
    """The findings of one code; does: action -> how often; files: the first places."""

    code: str
    rule: Rule
    does: dict[str, int]
    files: list[str]
    pictures: list[Picture]

    @property
    def count(self) -> int:
        return sum(self.does.values())


def looked(upload: Upload) -> Look:
    return _looked(upload.folder, (upload.folder / "seen.json").stat().st_mtime_ns)


@lru_cache(4)
def _looked(folder: Path, _at: int) -> Look:
    taken = Upload(folder).taken
    manifest = taken.manifest()
    images = {row.image_id: row for row in manifest.image_rows()}
    return Look(manifest, images, manifest.annotations_by_image(), taken.findings(), taken.read_as)


def title(read_as: str) -> str:
    """The formats' names for people."""
    return " + ".join(FORMATS[name].title if name in FORMATS else name for name in read_as.split(" + "))


def class_counts(look: Look) -> dict[str, int]:
    """Class -> annotations, most first."""
    return dict(Counter(look.manifest.annotations["label"].to_pylist()).most_common())


def facts(upload: Upload) -> dict[str, Any]:
    """What it is, as the API says it."""
    look = looked(upload)
    return upload.seen | {
        "read_as": look.read_as,
        "format": title(look.read_as),
        "images": len(look.images),
        "annotations": look.manifest.annotations.num_rows,
        "word": look.manifest.word,
        "without": sum(image_id not in look.annotations for image_id in look.images),
        "classes": class_counts(look),
        "findings": count_codes(look.findings),
    }


def gallery(upload: Upload, base: str, start: int = 0) -> dict[str, Any]:
    """Some images from `start`, those with annotations before those without; after: where to go on, None at the end."""
    look, end = looked(upload), start + _GALLERY
    chosen = sorted(look.images, key=lambda image_id: image_id not in look.annotations)[start:end]
    shown = [_picture(look, image_id, base) for image_id in chosen]
    return {"gallery": shown, "after": end if end < len(look.images) else None}


def samples(upload: Upload, base: str) -> dict[str, Picture]:
    """Class -> an image that shows it, with its annotations of that class alone."""
    look, found = looked(upload), {}
    for image_id, rows in look.annotations.items():
        for one in rows:
            if one.label not in found and image_id in look.images:
                found[one.label] = _picture(look, image_id, base, one.label)
    return found


def groups(upload: Upload, base: str) -> list[Group]:
    """The findings, the most severe code first."""
    look = looked(upload)
    by_code: dict[str, list[Finding]] = {}
    for finding in look.findings:
        by_code.setdefault(finding.code, []).append(finding)
    return [
        Group(
            code,
            by_code[code][0].rule,
            does,
            [f"{one.where or one.place}{f' ({one.value})' if one.value else ''}" for one in by_code[code][:_OF_CODE]],
            [_picture(look, image_id, base) for image_id in _shown_images(look, by_code[code])],
        )
        for code, does in count_actions(look.findings).items()
    ]


def _shown_images(look: Look, findings: list[Finding]) -> list[str]:
    ids = dict.fromkeys(one.image_id for one in findings)
    return [image_id for image_id in ids if image_id in look.images and look.images[image_id].format][:_OF_CODE]


def _picture(look: Look, image_id: str, base: str, label: str | None = None) -> Picture:
    colours = {name: place for place, name in enumerate(sorted(class_counts(look)))}
    rows = [one for one in look.annotations.get(image_id, []) if label in (None, one.label)]
    return picture_of(look.images[image_id], rows, colours, base)
