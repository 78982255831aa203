"""ingest: data/raw in any annotation format -> the manifest, and the label map."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.codes import Action
from shardsmith.dataset.findings import Finding, about, count_severities, found
from shardsmith.dataset.label_map import MAX_ID, LabelMap, read_label_map
from shardsmith.dataset.manifest import IMAGES, Annotation, Image, Manifest, write_sums
from shardsmith.dataset.tables.packed import PackedRows, in_tables, map_labels, with_keys
from shardsmith.dataset.tables.schema import rows_of
from shardsmith.formats.shapes.placement import to_json
from shardsmith.formats.shared.raw_folder import ImageEntry, RawFolder, Source
from shardsmith.ledger.counts import count_captions
from shardsmith.ledger.reading import box_place
from shardsmith.pipeline.intake.find import find_format as find_format
from shardsmith.pipeline.intake.find import titles
from shardsmith.pipeline.intake.read import probe_images as probe_images
from shardsmith.pipeline.intake.read import read_raw as read_raw
from shardsmith.pipeline.params import IngestParams


def free_ids(ids: dict[str, int], labels: list[str], label_map: LabelMap, pins: dict[str, int]) -> dict[str, int]:
    """The source's own ids of new classes, where no other class has them and they are not above MAX_ID."""
    taken = {*label_map.ids.values(), *pins.values()}
    new = {name: ids[name] for name in labels if name in ids and name not in label_map.ids and name not in pins}
    return {name: id_ for name, id_ in new.items() if id_ not in taken and id_ <= MAX_ID}


def build_manifest(folder: RawFolder, source: Source, unlabelled: str) -> tuple[Manifest, list[Finding]]:
    """The manifest of what the source says, with every image that it does not mention as `unlabelled` says."""
    entries = dict(source.entries)
    alone = {image_id for image_id, entry in entries.items() if entry.captions_alone}
    if len(alone) < len(entries):  # others have boxes or classes
        unsaid, not_looked_at = [one for one in folder.image_files if one not in entries or one in alone], set[str]()
    else:
        unsaid, not_looked_at = [one for one in folder.image_files if one not in entries], alone
    findings = []
    for image_id in unsaid:
        count = len(entries[image_id].captions) if image_id in alone else 0
        said = [f"it has captions ({count:,}), and no boxes or classes as others have"] if count else []
        said += ["taken as a negative"] if unlabelled == "negative" else []
        action: Action = "drop" if unlabelled == "drop" else "keep"
        findings.append(about("image-unlabelled", image_id, action, reason="; ".join(said)))
        entries.setdefault(image_id, ImageEntry())
        if unlabelled == "drop":
            del entries[image_id]
    not_looked_at |= set(unsaid) if unlabelled == "keep" else set()
    order = sorted(entries)
    images = in_tables((_image_of(folder, image_id, entries[image_id], not_looked_at) for image_id in order), IMAGES)
    if source.packed:
        places = {image_id: place for place, image_id in enumerate(order)}
        return Manifest(images, source.packed.by_image(places)), findings
    return Manifest(images, Manifest.of([], source.annotations).annotations), findings


def _image_of(folder: RawFolder, image_id: str, entry: ImageEntry, not_looked_at: Collection[str]) -> Image:
    row = image_row(folder, image_id)
    row.split, row.tags, row.group, row.source_id = entry.split, entry.tags, entry.group, entry.source_id
    row.metadata, row.captions = to_json(entry.metadata), entry.captions or None
    row.annotated = image_id not in not_looked_at
    return row


def image_row(folder: RawFolder, image_id: str) -> Image:
    """What the file itself says."""
    info = folder.images[image_id]
    row = Image(image_id, folder.path(image_id).as_posix(), info.sha256, info.width, info.height, info.format)
    row.orientation = info.orientation
    return row


def left_out(folder: RawFolder, source: Source, findings: list[Finding]) -> Manifest:
    """The images and annotations that are dropped here, so that the version's page can show them."""
    gone = [one.image_id for one in findings if one.code == "image-unlabelled" and one.action == "drop"]
    return Manifest.of([image_row(folder, image_id) for image_id in gone], source.omitted)


def apply_classes(source: Source, classes: dict[str, str | int | None]) -> list[Finding]:
    """Rename, merge and omit classes in `source` as ingest.classes says; name what has no class or no box."""
    if source.packed:
        labels, kept_labels, findings = _apply_to_packed(source, source.packed, classes)
    else:
        labels = Counter(row.label for row in source.annotations)
        kept, findings = [], []
        for row in source.annotations:
            if lost := _lost(row, classes):
                findings.append(lost)
                source.omitted.append(row)
            else:
                row.label = _renamed(row.label, classes)
                kept.append(row)
        source.annotations = kept
        kept_labels = Counter(row.label for row in kept)
    seen = set(labels) | set(source.classes)
    renamed = [classes.get(name, name) if isinstance(classes.get(name), str) else name for name in source.classes]
    for name, id_ in list(source.ids.items()):  # a class that is renamed takes its id along
        if isinstance(target := classes.get(name), str):
            source.ids.setdefault(target, id_)
    named = (name for name in map(str, renamed) if name.strip() and classes.get(name, "") is not None)
    source.classes = list(dict.fromkeys(named))
    targets = {target for target in classes.values() if isinstance(target, str)}
    findings += [found("class-not-found", "params.yaml", value=name) for name in classes if name not in seen | targets]
    findings += [found("class-without-boxes", name) for name in source.classes if name not in kept_labels]
    return findings + find_alike(kept_labels)


def _lost(row: Annotation, classes: Mapping[str, str | int | None]) -> Finding | None:
    place, key = box_place(row), row.source_key or ""
    if not row.label:
        return about("class-name-empty", row.image_id, place=place, source_key=key)
    if classes.get(row.label, row.label) is None:
        return about("class-omitted", row.image_id, place=place, value=row.label, source_key=key)
    return None


def _renamed(label: str, classes: Mapping[str, str | int | None]) -> str:
    target = classes.get(label)
    return target if isinstance(target, str) else label


def _apply_to_packed(
    source: Source, rows: PackedRows, classes: Mapping[str, str | int | None]
) -> tuple[Counter[str], Counter[str], list[Finding]]:
    """(the labels before, those after, findings)."""
    before, after, findings = Counter[str](), Counter[str](), list[Finding]()
    kept = PackedRows()
    for table in rows.batches():
        counts = {one["values"]: one["counts"] for one in pc.value_counts(table["label"]).to_pylist()}
        before.update(counts)
        if gone := [label for label in counts if not label or classes.get(label, label) is None]:
            is_gone = pc.is_in(table["label"], pa.array(gone, pa.string()))
            for row in rows_of(table.filter(is_gone), Annotation):
                if lost := _lost(row, classes):
                    findings.append(lost)
                    source.omitted.append(row)
            table = table.filter(pc.invert(is_gone))
        if any(_renamed(label, classes) != label for label in counts):
            table = map_labels(table, lambda label: _renamed(label, classes))
        for label, count in counts.items():
            after.update({} if label in gone else {_renamed(label, classes): count})
        kept.add(table)
    source.annotations = cast("list[Annotation]", kept)
    return before, after, findings


def find_alike(counts: Mapping[str, int]) -> list[Finding]:
    """Classes whose names are one but for their spelling: the rarer one may be meant to be the other.

    Args:
        counts: label -> how many annotations have it.
    """
    alike: dict[str, list[str]] = defaultdict(list)
    names = {name: fold_name(name) for name in counts}
    folded = set(names.values())
    for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        one = next((one for one in _singulars(names[name]) if len(one) > 2 and one in folded), names[name])
        alike[one].append(name)
    return [
        found(
            "class-alike",
            other,
            value=f"{counts[other]:,} boxes",
            reason=f"merge: ingest.classes: {{{other}: {first}}}",
        )
        for first, *others in alike.values()
        for other in others
    ]


def _singulars(name: str) -> list[str]:
    """What an English plural may be of: cats, boxes, berries. "planes" is not a plural of "plan"."""
    found_in = [name[:-1]] if name.endswith("s") else []
    found_in += [name[:-2]] if name.endswith(("ses", "xes", "zes", "ches", "shes")) else []
    return found_in + ([f"{name[:-3]}y"] if name.endswith("ies") else [])


def fold_name(name: str) -> str:
    """Without case, blanks, hyphens, dots and underscores; between digits they stay: 1.5 is not 15."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return _BETWEEN.sub(lambda at: "-" if _in_number(plain, at) else "", plain) or plain


SOURCE = "source.json"
_BETWEEN = re.compile(r"[\s._-]+")


def _in_number(text: str, at: re.Match[str]) -> bool:
    return text[max(0, at.start() - 1) : at.start()].isdigit() and text[at.end() : at.end() + 1].isdigit()


def take_in(
    folder: RawFolder, source: Source, params: IngestParams, label_map: LabelMap
) -> tuple[Manifest, LabelMap, list[Finding]]:
    """The manifest, the label map with every class of it, and the findings.

    Args:
        source: changed: its classes are renamed, merged and omitted as params say.
        label_map: the one to extend: ids in it keep their meaning.
    """
    if source.packed:
        keyed = PackedRows()
        for table in with_keys(source.packed):
            keyed.add(table)
        source.annotations = cast("list[Annotation]", keyed)
    else:
        give_keys(source.annotations)
    findings = source.findings + apply_classes(source, params.classes)
    manifest, unlabelled = build_manifest(folder, source, params.unlabelled)
    used = {label for some in manifest.annotation_batches("label") for label in some["label"].unique().to_pylist()}
    labels = source.classes + sorted(used - set(source.classes))
    pins = {name: target for name, target in params.classes.items() if isinstance(target, int)}
    pins = free_ids(source.ids, labels, label_map, pins) | pins
    return manifest, label_map.extended(labels, pins), findings + unlabelled


def give_keys(annotations: Iterable[Annotation]) -> None:
    """Say of each annotation where it is from: its image, and the source's id of it or `n` and its number there."""
    numbers: Counter[str] = Counter()
    given: Counter[tuple[str, str]] = Counter()
    for row in annotations:
        numbers[row.image_id] += 1
        row.source_image = row.image_id
        key = row.source_key or f"n{numbers[row.image_id]}"
        given[row.image_id, key] += 1
        again = given[row.image_id, key]
        row.source_key = key if again == 1 else f"{key}~{again}"  # an id that the source gives twice


def ingest(
    raw: Path, params: IngestParams, label_map: LabelMap, out: Path | None = None
) -> tuple[Manifest, LabelMap, list[Finding], str]:
    """A folder of raw data as `take_in` gives it, and the name of its format; arguments as for `read_raw`.

    Raises:
        RawDataError: the folder cannot be read as a dataset.
    """
    folder, source, format_name = read_raw(raw, params, out)
    return *take_in(folder, source, params, label_map), format_name


def starting_map(path: Path, dataset: str) -> LabelMap:
    """The label map to extend: the one at `path` if it is this dataset's, else a new one."""
    if path.exists():
        existing = read_label_map(path)
        if existing.dataset in (dataset, ""):
            return LabelMap(dataset, existing.ids)
        _say(f"{path} belongs to dataset {existing.dataset!r}; a new label map is started for {dataset!r}")
    return LabelMap(dataset)


def _say(message: str) -> None:
    print(f"ingest: {message}", file=sys.stderr)


def write_source(folder: Path, format_name: str, facts: Mapping[str, str]) -> None:
    """source.json: what the raw data was labelled as, and what it says of itself.

    Args:
        format_name: of one format, or of several as `read_raw` joins them.
    """
    about = {"format": format_name, "description": f"data labelled as {titles(format_name)}", "facts": facts}
    (folder / SOURCE).write_text(json.dumps(about, ensure_ascii=False) + "\n", encoding="utf-8")
    write_sums(folder, SOURCE)


def describe(manifest: Manifest, label_map: LabelMap, findings: list[Finding], format_name: str) -> str:
    """For the stage's last line."""
    images, boxes, classes = manifest.image_count, manifest.annotation_count, len(label_map.ids)
    texts = f" and {count:,} captions" if (count := count_captions(manifest)) else ""
    return (
        f"{images:,} images and {boxes:,} {manifest.word} of {classes:,} class{'' if classes == 1 else 'es'}{texts} "
        f"({format_name}); {count_severities(findings)}"
    )
