"""What several formats say of one folder, as one source: classes are one by their names, equal annotations one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from operator import itemgetter

from shardsmith.dataset.findings import Finding, about, found
from shardsmith.dataset.label_map import MAX_ID
from shardsmith.dataset.manifest import Annotation
from shardsmith.formats.shapes.placement import corners
from shardsmith.formats.shared.facts import merged
from shardsmith.formats.shared.raw_folder import ImageEntry, RawFolder, Source

_MOST_PLACES = 5
_SAME_PX = 1.0  # formats in whole pixels round by so much


def merge(sources: Mapping[str, Source]) -> Source:
    """One source of several.

    An image that two formats annotate has the annotations of both, and those that are equal once: the same class, and
    each edge within a pixel. Where the two differ, it is a finding.

    Args:
        sources: format -> what it says.
    """
    if len(sources) == 1:
        return next(iter(sources.values()))
    whole = Source(shapes=sum(one.shapes or 0 for one in sources.values()))
    rows: dict[str, dict[str, list[Annotation]]] = defaultdict(dict)
    repeated: dict[str, int] = defaultdict(int)
    for name, source in sources.items():
        whole.findings += source.findings
        whole.classes += [one for one in source.classes if one not in whole.classes]
        whole.facts = merged(whole.facts, source.facts)
        _add_ids(whole, source)
        by_image: dict[str, list[Annotation]] = defaultdict(list)
        for row in source.annotations:
            by_image[row.image_id].append(row)
        for image_id, entry in source.entries.items():
            repeated[name] += _add_entry(whole, image_id, entry, name)
            if not (entry.implied or entry.captions_alone) or by_image[image_id]:
                rows[image_id][name] = by_image[image_id]
    for image_id, by_format in rows.items():
        whole.annotations += _joined(image_id, by_format, whole, repeated)
    for name, count in filter(itemgetter(1), repeated.items()):
        whole.shapes = (whole.shapes or 0) - count
        reason = f"annotations of {name} that repeat those of another format; each is taken once"
        whole.findings.append(found("not-carried", "", value=count, reason=reason))
    return whole


def name_twice(folder: RawFolder) -> list[Finding]:
    """A finding for each image of which two places in a format's files have boxes; the next format starts anew."""
    findings = []
    for image_id, info in folder.images.items():
        if len(info.boxes_in) > 1:
            counts = "; ".join(f"{count:,} in {place}" for place, count in list(info.boxes_in.items())[:_MOST_PLACES])
            findings.append(about("image-annotated-twice", image_id, reason=f"annotations stand twice: {counts}"))
        info.boxes_in.clear()
    return findings


def _add_ids(whole: Source, source: Source) -> None:
    """The ids of a format's own label map, where they are free."""
    taken = set(whole.ids.values())
    whole.ids |= {
        name: id_
        for name, id_ in source.ids.items()
        if name not in whole.ids and id_ not in taken and 0 < id_ <= MAX_ID
    }


def _add_entry(whole: Source, image_id: str, entry: ImageEntry, name: str) -> int:
    """How many of its captions are there already."""
    known = whole.entries.setdefault(image_id, entry)
    if known is entry:
        return 0
    if known.split and entry.split and known.split != entry.split:
        reason = f"it is in {known.split} by another format and in {entry.split} by {name}; {known.split} counts"
        whole.findings.append(found("split-leak", image_id, reason=reason, image_id=image_id))
    known.split, known.group = known.split or entry.split, known.group or entry.group
    known.add(entry.tags, entry.metadata)
    known.implied = known.implied and entry.implied
    known.captions_alone = known.captions_alone and entry.captions_alone
    known.source_id = known.source_id or entry.source_id
    new = [text for text in entry.captions if text not in known.captions]
    known.captions += new
    return len(entry.captions) - len(new)


def _joined(
    image_id: str, by_format: Mapping[str, list[Annotation]], whole: Source, repeated: dict[str, int]
) -> list[Annotation]:
    """The annotations of one image, those of the first format first."""
    joined: list[Annotation] = []
    for name, rows in by_format.items():
        free = list(range(len(joined)))  # two equal ones of one format are two
        keys = {row.source_key for row in joined}
        for row in rows:
            at = next((place for place in free if _is_same(joined[place], row)), None)
            if at is None:
                row.source_key = f"{name}:{row.source_key}" if row.source_key in keys - {None} else row.source_key
                joined.append(row)
                continue
            free.remove(at)
            repeated[name] += 1
            known = joined[at]
            if (row.segmentation and not known.segmentation) or (row.keypoints and not known.keypoints):
                row.source_key = joined[at].source_key
                joined[at] = row
    if any(len(rows) < len(joined) for rows in by_format.values()):
        counts = ", ".join(f"{len(rows)} by {name}" for name, rows in by_format.items())
        reason = f"its annotations differ: {counts}; {len(joined)} are kept"
        whole.findings.append(found("image-annotated-twice", image_id, reason=reason, image_id=image_id))
    return joined


def _is_same(one: Annotation, other: Annotation) -> bool:
    if one.label != other.label or (one.xmin is None) != (other.xmin is None):
        return False
    if one.xmin is None:
        return True
    return all(abs(a - b) <= _SAME_PX for a, b in zip(corners(one), corners(other), strict=True))
