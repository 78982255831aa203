"""The codes of findings: what each means, how severe it is, and what may be done about it.

Codes are stable: people write them into `validate.actions`. Add a code here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Action = Literal["keep", "repair", "drop", "fail"]
Severity = Literal["info", "warning", "error"]
ACTIONS: tuple[Action, ...] = get_args(Action)
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


@dataclass(frozen=True)
class Rule:
    """What a code means, what happens by default and which actions make sense for it."""

    severity: Severity
    action: Action
    allowed: tuple[Action, ...]
    meaning: str
    remedy: str


OWN = "own-"  # how the codes of a workspace's own checks begin
_OF_THE_WORKSPACE = Rule(
    "warning", "keep", ("keep", "drop", "fail"), "found by a check of this workspace", "see stages/ in the workspace"
)


class _Catalogue(dict[str, Rule]):
    """Code -> rule; a code that begins with `own-` is of a check that a workspace has added."""

    def __missing__(self, code: str) -> Rule:
        if code.startswith(OWN):
            return _OF_THE_WORKSPACE
        raise KeyError(code)


# fmt: off
CATALOGUE: dict[str, Rule] = _Catalogue({
    # found by ingest
    "annotation-unreadable": Rule("error", "drop", ("drop", "fail"),
        "an annotation file or entry cannot be read",
        "repair or delete it"),
    "shape-not-carried": Rule("error", "drop", ("drop", "fail"),
        "an annotation is of a kind that a dataset here cannot hold (a line, a point, a circle that is no outline)",
        "draw it as a box or polygon, or export it as one"),
    "region-ignored": Rule("warning", "drop", ("drop", "fail"),
        "a region that the source says to ignore (KITTI's DontCare): nobody labelled the objects in it",
        "nothing to do; an image with nothing else is no negative"),
    "read-leniently": Rule("info", "keep", ("keep", "fail"),
        "something is written otherwise than its format has it, and was read as it was meant",
        "nothing to do, if the boxes sit on the objects"),
    "image-annotated-twice": Rule("warning", "keep", ("keep", "fail"),
        "two files annotate the image, or two entries of one; all annotations are kept, equal ones once",
        "keep the one that is right; ingest.format reads one format alone"),
    "file-not-read": Rule("warning", "keep", ("keep", "fail"),
        "a file is of a kind that is known here and not read",
        "export or convert it as the finding says, or delete it"),
    "image-missing": Rule("error", "drop", ("drop", "fail"),
        "an annotation names an image that is not there",
        "add the image, or delete the annotation"),
    "image-ambiguous": Rule("error", "drop", ("drop", "fail"),
        "an annotation names an image that is there more than once",
        "rename one of the images, or write its folder into the annotation"),
    "image-name-matched": Rule("info", "keep", ("keep", "fail"),
        "an annotation names its image not quite as the file is named; the only image that it could mean is taken",
        "nothing to do, if it is the right image; else add the one that is meant"),
    "image-unlabelled": Rule("warning", "drop", ("keep", "drop", "fail"),
        "no annotation mentions the image",
        "label it, or set ingest.unlabelled to negative or keep"),
    "size-declared-wrong": Rule("warning", "keep", ("keep", "fail"),
        "the annotation declares another size than the image has; the image's own is used",
        "check that the boxes sit on the objects"),
    "orientation-ambiguous": Rule("warning", "keep", ("keep", "fail"),
        "the image is stored turned (EXIF) and the annotation does not say which way its boxes are meant",
        "check that the boxes sit on the objects; they were taken as displayed"),
    "orientation-decided": Rule("info", "keep", ("keep", "fail"),
        "annotations of turned images (EXIF) that do not say which way they are meant are taken as the others say",
        "nothing to do, if the boxes sit on the objects; else set ingest.orientation"),
    "class-name-empty": Rule("error", "drop", ("drop", "fail"),
        "an annotation has no class",
        "give it a class, or delete it"),
    "class-without-boxes": Rule("info", "keep", ("keep", "fail"),
        "a declared class has no annotation",
        "label some, or remove the class"),
    "class-omitted": Rule("info", "drop", ("drop", "fail"),
        "ingest.classes omits the class",
        "change ingest.classes to keep it"),
    "class-alike": Rule("warning", "keep", ("keep", "fail"),
        "the name of a class differs from another's only by case, blanks, dashes, dots or a plural ending",
        "merge the two in ingest.classes, if they are one"),
    "class-not-found": Rule("warning", "keep", ("keep", "fail"),
        "ingest.classes names a class that the raw data does not have",
        "check its spelling in params.yaml"),
    "mask-values-assumed": Rule("warning", "keep", ("keep", "fail"),
        "the class list gives its classes no values; the first was taken for value 0 or 1, by what the masks hold",
        "check the classes of the masks; write the value before each class: 0 background, 1 cat"),
    "not-carried": Rule("warning", "keep", ("keep", "fail"),
        "the source holds something that a dataset here has no place for",
        "nothing to do, unless you need it: then keep the source beside the version"),
    "metadata-not-carried": Rule("info", "keep", ("keep", "fail"),
        "the source says more than a dataset here has a place for, of its images or of itself; no annotation is lost",
        "nothing to do, unless you need it: then keep the source beside the version"),
    "crowd-mostly": Rule("warning", "keep", ("keep", "fail"),
        "most annotations are marked as crowds (iscrowd); many trainers pass over crowds, and so over all of these",
        "set iscrowd to 0 in the source where an annotation is one object: some tools write 1 for every mask"),
    # found by validate
    "image-unreadable": Rule("error", "drop", ("drop", "fail"),
        "the image does not open or decode",
        "replace the image file"),
    "image-turned": Rule("info", "repair", ("repair", "drop", "fail"),
        "EXIF says the image is stored turned; it is written upright, encoded once more",
        "nothing to do; rotate the file itself to keep its bytes"),
    "image-encoding": Rule("info", "repair", ("repair", "drop", "fail"),
        "the encoding is not one that every reader decodes; it is written as PNG",
        "nothing to do; convert the file to JPEG or PNG to keep its bytes"),
    "image-extension": Rule("info", "keep", ("keep", "drop", "fail"),
        "the file's name says another format than its bytes",
        "rename it"),
    "image-colours": Rule("info", "keep", ("keep", "drop", "fail"),
        "the colours are not 8-bit grey or RGB (CMYK, 16 bit, alpha); each reader makes RGB of them in its own way",
        "convert the file to 8-bit RGB, to have it look the same everywhere"),
    "image-plain": Rule("info", "keep", ("keep", "drop", "fail"),
        "the whole image is of nearly one colour",
        "look at it; delete it if the camera or the download failed"),
    "image-size-far": Rule("info", "keep", ("keep", "drop", "fail"),
        "the image's size or aspect ratio is far from that of the others",
        "check that it belongs here; a thumbnail or a panorama seldom does"),
    "image-duplicate": Rule("warning", "keep", ("keep", "drop", "fail"),
        "several images have the same bytes; they always share a split",
        "delete the copies you do not want, or set the action to drop to keep the first"),
    "image-duplicate-conflict": Rule("warning", "keep", ("keep", "drop", "fail"),
        "images with the same bytes have different annotations; they always share a split",
        "decide which annotation is right and delete the other"),
    "image-near-duplicate": Rule("warning", "keep", ("keep", "drop", "fail"),
        "the image is nearly identical to another (validate.near_identical); only splits of the source part them",
        "delete the ones you do not want, or set the action to drop to keep the first; where images are alike by "
        "nature (one camera that stands still), lower validate.near_identical"),
    "image-excluded": Rule("info", "drop", ("drop", "fail"),
        "data/decisions.csv leaves the image out",
        "delete its row there, to have it back"),
    "decision-without-image": Rule("warning", "keep", ("keep", "fail"),
        "data/decisions.csv names an image that is not among those that were read",
        "correct its image_id (its path below data/raw), or delete the row"),
    "source-augmented": Rule("warning", "keep", ("keep", "fail"),
        "this export is already augmented: it has several versions of one picture (NAME_ext.rf.HASH), which stay in "
        "one split",
        "export it from Roboflow without augmentation, and let augment make the copies of the train images"),
    "box-not-finite": Rule("error", "drop", ("drop", "fail"),
        "a coordinate is not a finite number",
        "draw the box again"),
    "box-inverted": Rule("warning", "repair", ("repair", "drop", "fail"),
        "a minimum is greater than its maximum; the two are swapped",
        "check the box"),
    "box-in-shares": Rule("error", "drop", ("keep", "drop", "fail"),
        "all four coordinates lie between 0 and 1: they are shares of the image, and its format has pixels",
        "multiply them by the image's width and height, or export pixels"),
    "box-over-edge": Rule("warning", "repair", ("repair", "drop", "fail"),
        "the box passes the image's edge a little; it is clipped",
        "nothing to do, or draw the box again"),
    "box-outside-image": Rule("error", "drop", ("repair", "drop", "fail"),
        "the box lies outside the image, or passes its edge by more than validate.max_over_edge",
        "check that the box belongs to this image and to its size"),
    "keypoint-outside-image": Rule("warning", "repair", ("repair", "fail"),
        "keypoints of the object lie outside the image; they are taken as not there",
        "nothing to do, or move them"),
    "box-empty": Rule("error", "drop", ("drop", "fail"),
        "the box has no area",
        "draw the box again"),
    "box-duplicate": Rule("warning", "drop", ("keep", "drop", "fail"),
        "the same box with the same class stands twice on the image",
        "delete one of them"),
    "box-near-duplicate": Rule("warning", "keep", ("keep", "drop", "fail"),
        "the box nearly covers another of the same class (IoU over 0.95)",
        "delete one of them, or set the action to drop to keep the first"),
    "box-overlap": Rule("warning", "keep", ("keep", "fail"),
        "the box nearly covers one of another class (IoU over 0.9)",
        "decide which class the object is of, unless it is of both"),
    "box-tiny": Rule("warning", "keep", ("keep", "drop", "fail"),
        "the box's shorter side is less than validate.tiny_box_px",
        "check that it is no slip of the hand; detectors hardly find such objects"),
    "box-covers-image": Rule("info", "keep", ("keep", "drop", "fail"),
        "the box covers at least 0.95 of the image",
        "check that it is drawn around the object, and not around the picture"),
    "image-left-empty": Rule("error", "drop", ("keep", "drop", "fail"),
        "no annotation of the image could be read or kept, so it is no negative; kept, it counts as unlabelled",
        "mend its annotations; or set the action to keep, which keeps it as an unlabelled image"),
    "class-rare": Rule("warning", "keep", ("keep", "fail"),
        "the class is on fewer than 20 images, and on less than a tenth as many as the most common class",
        "add images of it, or omit or merge it in ingest.classes"),
    # found by split
    "split-empty": Rule("warning", "keep", ("keep", "fail"),
        "a split with a share above zero has no image",
        "add images, or change split.fractions; with split.strategy source, put images into that split of the source"),
    "split-lacks-class": Rule("warning", "keep", ("keep", "fail"),
        "a split shows nothing of a class",
        "add images of that class"),
    "split-missing": Rule("error", "drop", ("drop", "fail"),
        "the source gives the image no split",
        "put it into a split of the source, or set split.strategy to stable"),
    "split-leak": Rule("error", "keep", ("keep", "fail"),
        "identical images, or images of one group, stand in different splits",
        "move them together, in the source or by data/decisions.csv; or set split.strategy to stable and raise "
        "split.era, which places all images anew"),
    "split-leak-similar": Rule("warning", "keep", ("keep", "fail"),
        "nearly identical images stand in different splits",
        "move them together, in the source or by data/decisions.csv; or set split.strategy to stable and raise "
        "split.era, which places all images anew"),
    "split-bridge": Rule("warning", "drop", ("drop", "fail"),
        "the new image belongs with images of different splits, which stay where they are; it is left out",
        "delete it, or say in data/decisions.csv which split it is to have"),
    "split-moved": Rule("info", "keep", ("keep", "fail"),
        "images are in another split than in an earlier version, whose models have seen them as what they were",
        "nothing to do, if that is meant; compare models of both versions on images that neither was trained on"),
    "split-shares-differ": Rule("info", "keep", ("keep", "fail"),
        "a split has another share of the images than split.fractions says, since images stay in their splits",
        "nothing to do: new images come in by the fractions; or raise split.era, which places all images anew"),
    "split-groups-joined": Rule("info", "keep", ("keep", "fail"),
        "groups that share identical or nearly identical images count as one, which can move images between splits",
        "nothing to do"),
    # found by export
    "not-exported": Rule("warning", "keep", ("keep",),
        "the dataset holds something that the format cannot carry; it is left out there",
        "choose a format that carries it (`shardsmith formats`); export.on_loss: fail stops a build for it"),
    # found by preprocess and augment
    "image-left-out": Rule("info", "drop", ("drop", "fail"),
        "a step of preprocess leaves the image out",
        "change the step, if you want the image"),
    "image-not-transformed": Rule("error", "drop", ("drop", "fail"),
        "a step cannot be applied to the image, or the result cannot be written; the image, tile or copy is left out",
        "resize before the step, give it a smaller crop, or leave the image out"),
    "box-left-out": Rule("info", "drop", ("drop", "fail"),
        "a step of preprocess leaves the box out",
        "change the step, if you want the box"),
    "image-smaller-than-tile": Rule("warning", "keep", ("keep", "fail"),
        "the image is smaller than a tile; its side is not cut",
        "use smaller tiles, or resize before"),
    "copy-identical": Rule("info", "drop", ("drop", "fail"),
        "a copy came out identical to its original or to another copy; it is made once",
        "use more steps, or fewer copies"),
    "box-lost": Rule("info", "drop", ("drop", "fail"),
        "a transformed image shows too little of the object; its box is left out there",
        "use gentler steps, or a smaller min_visibility or min_size_px"),
    "outline-lost": Rule("warning", "drop", ("drop", "fail"),
        "nothing is left of the object's outline, though something of its box; the box stays without it",
        "use gentler steps, or a larger min_size_px"),
    "caption-lost": Rule("info", "drop", ("drop", "fail"),
        "a tile, an isolated object or a mosaic is not what the captions of its image tell; it has none",
        "leave tile, isolate_objects and mosaic out, if you train on captions"),
})
# fmt: on
