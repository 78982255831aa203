"""The classes of VOC2012 and of Cityscapes, whose masks come without a class list.

Source: the VOC2012 development kit (its colours: VOClabelcolormap), and labels.py of the Cityscapes scripts.
"""

from __future__ import annotations

from shardsmith.formats.masks.classes import BLACK, ClassList, voc_colour

# fmt: off
_VOC = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)
_CITYSCAPES = (
    "void", "void", "void", "void", "static", "dynamic", "ground", "road", "sidewalk", "parking", "rail track",
    "building", "wall", "fence", "guard rail", "bridge", "tunnel", "pole", "polegroup", "traffic light", "traffic sign",
    "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "caravan", "trailer", "train",
    "motorcycle", "bicycle",
)  # unlabeled, ego vehicle, rectification border and out of roi are void
_TRAINED = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
# fmt: on


KNOWN = {
    "voc": ClassList("VOC2012", dict(enumerate(_VOC))),
    "voc-colours": ClassList("VOC2012", by_colour={voc_colour(value): name for value, name in enumerate(_VOC)}),
    "cityscapes": ClassList("Cityscapes", dict(enumerate(_CITYSCAPES))),
    "trainids": ClassList("Cityscapes", {BLACK: "road"} | {n: _CITYSCAPES[at] for n, at in enumerate(_TRAINED)}),
}
