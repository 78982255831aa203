"""CVAT's video: the shapes of its tracks by frame, and the images of its frames; no disk.

An image is a frame's by the name that CVAT gives it, `frame_000012`. Where the images of a task have names of their
own, this form does not say them: "CVAT for images" does. Source: "XML annotation format" of CVAT's documentation.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element

_FRAME = re.compile(r"frame_?(\d{1,12})$", re.IGNORECASE)
_NO_SHAPES = frozenset({"version", "meta", "image", "track"})
_STEP = re.compile(r"step\s*=\s*(\d{1,9})$")


def shapes_by_frame(root: Element) -> tuple[dict[int, list[tuple[Element, str]]], list[str]]:
    """Frame -> (shape, key) of each track that is on it, and what is wrong with those that have no frame.

    A shape that is `outside` says that its object is not on the frame.
    """
    by_frame: dict[int, list[tuple[Element, str]]] = defaultdict(list)
    bad = []
    for position, track in enumerate(root.findall("track"), start=1):
        key = track.get("id") or str(position)
        for number, shape in enumerate(track, start=1):
            if shape.get("outside") == "1":
                continue
            for name in ("label", "source"):
                shape.set(name, shape.get(name) or track.get(name) or "")
            if (frame := _number(shape.get("frame"))) is not None:
                by_frame[frame].append((shape, f"track {key}"))
            else:
                bad.append(f"track {key}, shape {number}")
    for number, shape in enumerate((each for each in root if each.tag not in _NO_SHAPES), start=1):
        if (frame := _number(shape.get("frame"))) is not None:
            by_frame[frame].append((shape, ""))
        else:
            bad.append(f"<{shape.tag[:60]}> {number}")
    return dict(by_frame), bad


def frame_images(images: Iterable[str], wanted: Collection[int]) -> dict[int, list[str]]:
    """Frame -> its images; where as many are there as are wanted, counted from 1 (ffmpeg) and not from 0, one less."""
    by_number: dict[int, list[str]] = defaultdict(list)
    for image in images:
        if name := _FRAME.search(PurePosixPath(image).stem):
            by_number[int(name[1])].append(image)
    from_one = 0 in wanted and 0 not in by_number and len(wanted) == len(by_number)
    if from_one and all(number - 1 in wanted for number in by_number):
        return {number - 1: found for number, found in by_number.items()}
    return dict(by_number)


def annotated_frames(root: Element) -> range:
    """The frames that the task says it has, each of which somebody could see; none where it does not say."""
    for task in (root.find("meta/task"), root.find("meta/job")):
        if task is not None:
            first, last = (_number(task.findtext(key)) for key in ("start_frame", "stop_frame"))
            size = _number(task.findtext("size"))
            step = _STEP.search((task.findtext("frame_filter") or "").strip())
            stride = max(1, int(step[1])) if step else 1
            first = first or 0
            end = last + 1 if last is not None else first + size * stride if size else 0
            return range(first, end, stride)
    return range(0)


def _number(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isdecimal() and len(text) < 10 else None
