"""Semantic masks: PNGs whose values or colours are classes. Each class of an image becomes one annotation with an RLE,
each instance where a PNG says which pixels are one object.

0 and 255 are background and void, unless the class list says otherwise. See pairs.py and classes.py.
"""

from __future__ import annotations

from functools import partial
from pathlib import PurePosixPath

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.images import opened
from shardsmith.dataset.workers import map_items
from shardsmith.formats.format import Format
from shardsmith.formats.masks.classes import BLACK, LIST_FILES, VOID, ClassList, parse_list, shown
from shardsmith.formats.masks.known import KNOWN
from shardsmith.formats.masks.pairs import MaskPair, find_masks
from shardsmith.formats.masks.pixels import MaskContent, read_mask
from shardsmith.formats.masks.writer import measure_losses, write
from shardsmith.formats.shapes.objects import Objects, place_objects, row_of
from shardsmith.formats.shapes.placement import drawn_size
from shardsmith.formats.shared.raw_folder import ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_path

_LOADING = """
`NAME_mask.png` stands beside `NAME.jpg`, in the folder of its split. The values of its pixels are the ids of the
classes, 0 is background, and 255 is void: an object whose outline nobody has drawn. `_classes.csv` names the values.

```python
import numpy as np
from PIL import Image

mask = np.asarray(Image.open("train/NAME_mask.png"))  # (height, width); ignore 255
```
"""

_SETS = {"train": "train", "val": "valid", "valid": "valid", "test": "test"}


def annotation_images(folder: RawFolder) -> list[str]:
    """Every image file that is a mask, or a picture of one for people."""
    return find_masks(folder.files).files


def masks_not_read(folder: RawFolder, chosen: Format) -> list[Finding]:
    """What to say where masks stand beside annotations in another format, which is read."""
    if chosen.annotation_images or not folder.annotation_images:
        return []
    reason = f"masks (PNG) beside {chosen.name} annotations are not read; ingest.format: masks reads them instead"
    return [found("not-carried", min(folder.annotation_images), value=len(folder.annotation_images), reason=reason)]


def why_no_masks(folder: RawFolder) -> str:
    """Why the masks of a folder are no annotations that can be read; "" where there are none."""
    if not folder.annotation_images:
        return ""
    some = ", ".join(sorted(folder.annotation_images)[:3])
    return f"{some} are masks, and no class list beside them (classes.txt, with lines like '1 cat') says of what; "


def detect(folder: RawFolder) -> list[str]:
    """The masks, where a list says what they mean."""
    pairs = find_masks(folder.files).pairs
    lists = _Lists(folder)
    return [pair.mask for pair in pairs] if any(lists.of(pair) for pair in pairs) else []


def read(folder: RawFolder, files: list[str]) -> Source:
    """
    Raises:
        RawDataError: no class list says what the masks of a folder mean.
    """
    source = Source(shapes=0)
    splits = _image_sets(folder)
    lists = _Lists(folder)
    groups: dict[int, tuple[ClassList, list[MaskPair]]] = {}
    for pair in find_masks(folder.files).pairs:
        classes = lists.of(pair)
        if classes is None:
            raise RawDataError(
                f"{pair.mask}: no class list says what the values of this mask mean; put a classes.txt with lines "
                f"like '1 cat' beside it"
            )
        groups.setdefault(id(classes), (classes, []))[1].append(pair)
    for classes, pairs in groups.values():
        _add_group(folder, classes, pairs, splits, source)
    return source


class _Lists:
    """The class lists of a folder; each is read once."""

    def __init__(self, folder: RawFolder) -> None:
        self.folder = folder
        self.files = [file for file in folder.files if PurePosixPath(file).name in LIST_FILES]
        self.parsed: dict[str, ClassList | None] = {}

    def of(self, pair: MaskPair) -> ClassList | None:
        """The nearest list: in the mask's folder or one above, or in its image's; else the one that is known."""
        parents = [*PurePosixPath(pair.mask).parents, *(PurePosixPath(pair.image).parents if pair.image else ())]
        for parent in dict.fromkeys(parents):
            for name in LIST_FILES:
                if (file := str(parent / name)) in self.files and (classes := self._parsed(file)):
                    return classes
        if pair.known == "voc":
            return KNOWN["voc" if _is_indexed(self.folder, pair.mask) else "voc-colours"]
        return KNOWN.get(pair.known)

    def _parsed(self, file: str) -> ClassList | None:
        if file not in self.parsed:
            try:
                self.parsed[file] = parse_list(self.folder.text(file), file)
            except RawDataError:
                self.parsed[file] = None
        return self.parsed[file]


def _is_indexed(folder: RawFolder, file: str) -> bool:
    try:
        with opened((folder.root / file).read_bytes()) as image:
            return image.mode in ("P", "L", "1", "I", "I;16")
    except (OSError, ValueError, SyntaxError):
        return True


def _add_group(
    folder: RawFolder, classes: ClassList, pairs: list[MaskPair], splits: dict[str, str], source: Source
) -> None:
    """The masks of one class list."""
    by_colour = bool(classes.by_colour)
    skipped = frozenset() if classes.plain else frozenset(classes.nothing() - ({VOID} if not by_colour else set()))
    work = partial(read_mask, folder.root, by_colour, skipped)
    files = [(pair.mask, pair.instances) for pair in pairs]
    contents = list(map_items(work, files, "ingest: reading masks", "mask"))
    values = {area.value for content in contents for area in content.areas if area.value is not None}
    resolved, assumed = classes.resolved(values)
    if assumed:
        reason = f"its first class, {classes.plain[0]}, was taken for value {min(resolved.by_value)}"
        source.findings.append(found("mask-values-assumed", classes.file, reason=reason))
    resolved = resolved.for_two(values)
    source.classes += [name for name in resolved.names if name not in source.classes]
    source.ids |= {name: value for value, name in resolved.by_value.items() if value > 0 and name in source.classes}
    for pair, content in zip(pairs, contents, strict=True):
        _add_mask(folder, pair, content, resolved, splits, source)


def _add_mask(
    folder: RawFolder, pair: MaskPair, content: MaskContent, classes: ClassList, splits: dict[str, str], source: Source
) -> None:
    if pair.image not in folder.images:
        source.findings.append(found("image-missing", pair.mask, value=PurePosixPath(pair.mask).name))
        return
    if pair.image in source.entries:
        reason = "the image has another mask, which counts"
        source.findings.append(found("not-carried", pair.mask, reason=reason, image_id=pair.image))
        return
    stem = PurePosixPath(pair.image).stem
    split = splits.get(stem) or split_in_path(pair.image, pair.mask)
    source.entries[pair.image] = ImageEntry(split)
    info = folder.images[pair.image]
    objects = areas_as_objects(content, classes)
    drawn_on = drawn_size(info, content.size_px)
    if not content.problem and drawn_on and drawn_on != content.size_px:
        sizes = "{} x {} pixels, its image {} x {}".format(*content.size_px, *drawn_on)
        lost = len(objects.rows) + len(objects.lost)
        objects = Objects()
        for number in range(1, max(lost, 1) + 1):
            objects.lose("annotation-unreadable", f"area {number}", reason=f"the mask is {sizes}")
    place_objects(objects, pair.image, info, content.size_px if objects.rows else None, (pair.mask, ""), source)


def areas_as_objects(content: MaskContent, classes: ClassList) -> Objects:
    """The areas of one mask by their class's name; a mask that shows nothing but void is no negative."""
    objects = Objects()
    if content.problem:
        objects.lose("annotation-unreadable", "", reason=content.problem)
        return objects
    by_colour = bool(classes.by_colour)
    names = classes.by_colour if by_colour else classes.by_value
    nothing = classes.nothing()
    void = content.void
    for area in content.areas:
        if area.value is None:
            objects.lose("annotation-unreadable", f"instance {area.instance}", reason="no pixel of it has a class")
        elif area.value in nothing:
            void = void or area.value != BLACK
        elif area.value not in names:
            reason = f"{classes.file} has no class for it"
            objects.lose("annotation-unreadable", shown(area.value, by_colour), reason=reason)
        else:
            objects.rows.append(row_of(names[area.value], area.shape))
    if void and not objects.rows and not objects.lost:
        objects.lose("annotation-unreadable", shown(VOID, False), reason="the mask shows void (255), and no class")
    return objects


def _image_sets(folder: RawFolder) -> dict[str, str]:
    """Image stem -> split, from VOC's ImageSets/Segmentation/{train,val,test}.txt."""
    splits: dict[str, str] = {}
    for file in folder.with_suffix(".txt"):
        path = PurePosixPath(file)
        if path.parent.name == "Segmentation" and path.stem.lower() in _SETS:
            splits |= dict.fromkeys(map(str.strip, folder.text(file).splitlines()), _SETS[path.stem.lower()])
    return splits


FORMAT = Format(
    name="masks",
    title="Semantic masks (PNG)",
    carries=frozenset({"outlines", "masks", "negatives", "splits"}),
    reads=frozenset({"masks"}),
    detect=detect,
    read=read,
    write=write,
    loading=_LOADING,
    measure=measure_losses,
    annotation_images=annotation_images,
)
