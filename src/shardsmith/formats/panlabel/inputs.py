"""What panlabel refuses a whole file for, taken out of it first and named: one odd item must not cost the good ones.

It reads boxes alone. Source: the export format of CreateML, and what panlabel 0.7.0 says of it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.formats.shared.json import paired
from shardsmith.formats.shared.raw_folder import RawFolder

_POLYGON = "polygons, of which the box around each is kept,"
_BAD = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)


class Prepared:
    """One annotation file: its text for panlabel, with what was taken out; None where it may read the file as it is.

    `refused` is XML with entities, which nobody should read.
    """

    def __init__(self, folder: RawFolder, file: str) -> None:
        self.folder, self.file = folder, file
        self.text: str | None = None
        self.refused = False
        self.findings: list[Finding] = []
        self.lost: Counter[str] = Counter()
        try:
            self._prepare(folder.text(file))
        except DefusedXmlException as error:
            self.refused = True
            self._bad("", f"it is not read: {error}")
        except (RawDataError, RecursionError, ParseError, *_BAD):
            self.text = None  # panlabel says what is wrong with it
        for kind, count in sorted(self.lost.items()):
            self.findings.append(found("not-carried", file, value=count, reason=f"{kind} have no place here"))

    def _prepare(self, text: str) -> None:
        if self.file.lower().endswith(".xml"):
            fromstring(text)  # refuses entities
            return
        content = json.loads(paired(text))
        for fits, change in self._kinds():
            if fits(content):
                self.text = json.dumps(change(content), ensure_ascii=False)
                return

    def _kinds(self) -> list[tuple[Callable[[Any], bool], Callable[[Any], Any]]]:
        return [
            (lambda content: _first_has(content, "image") and _first_has(content, "annotations"), self._create_ml),
        ]  # fmt: skip

    def _bad(self, place: str, reason: str) -> None:
        self.findings.append(found("annotation-unreadable", self.file, place, reason=reason))

    def _image(self, name: str, place: str) -> str | None:
        """The image's name as it is linked beside the annotation file; None with a finding where it is not there."""
        image = self.folder.locate(name, self.file, place)
        if isinstance(image, Finding):
            self.findings.append(image)
            return None
        return PurePosixPath(image).name

    def _create_ml(self, content: list[Any]) -> list[Any]:
        kept = []
        for number, entry in enumerate(content, start=1):
            name = self._image(str(entry["image"]), f"entry {number}")
            if name is None:
                continue
            boxes = []
            for position, box in enumerate(entry.get("annotations") or [], start=1):
                try:
                    at = {key: float(box["coordinates"][key]) for key in ("x", "y", "width", "height")}
                    boxes.append({"label": str(box["label"]), "coordinates": at})
                except _BAD as error:
                    self._bad(f"entry {number}, annotation {position}", f"it is no box: {error}")
            kept.append({"image": name, "annotations": boxes})
        return kept


def _has(content: Any, key: str) -> bool:
    return isinstance(content, dict) and key in content


def _first_has(content: Any, key: str) -> bool:
    return isinstance(content, list) and bool(content) and _has(content[0], key)
