"""A format of one's own: `boxes.txt`, a line a box: IMAGE CLASS XMIN YMIN XMAX YMAX."""

from shardsmith.dataset.findings import Finding
from shardsmith.dataset.manifest import Annotation
from shardsmith.formats.format import Format
from shardsmith.formats.shared.raw_folder import ImageEntry, RawFolder, Source


def read(folder: RawFolder, files: list[str]) -> Source:
    source = Source()
    for number, line in enumerate(folder.text(files[0]).splitlines(), start=1):
        name, label, *corners = line.split()
        image_id = folder.locate(name, files[0], f"line {number}")
        if isinstance(image_id, Finding):
            source.findings.append(image_id)
            continue
        source.entries.setdefault(image_id, ImageEntry())
        source.annotations.append(Annotation(image_id, label, *map(float, corners)))
    return source


FORMAT = Format(
    name="box_lines",
    title="Box lines",
    carries=frozenset({"boxes"}),
    detect=lambda folder: [file for file in folder.files if file.endswith("boxes.txt")],
    read=read,
)
