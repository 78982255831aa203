"""Which image files are masks of which images, by their names alone; no disk.

Source: Roboflow's "Semantic Segmentation Masks" (NAME_mask.png beside NAME.jpg), the VOC2012 development kit, the
Cityscapes scripts, CamVid (train/ and trainannot/), KITTI (image_2/ and semantic/), and the folders of ADE20K and
MMSegmentation (images/ and masks/ or annotations/, a stem the same).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from shardsmith.dataset.images import EXTENSIONS

_MASK_FOLDER = re.compile(
    r"(?!with|no_|no-)(.+[_-])?masks?([_-].+)?|labels?|annotations?|ann_dir|anns?|segmentations?|seg|gt|ground_?truth"
    r"|.+annot|semantic(_rgb)?|instances?",
    re.IGNORECASE,
)
_CERTAIN = "masks"  # beside a folder of images, nothing but masks stands in a folder of this name
_IMAGE_FOLDERS = (
    "images", "image", "imgs", "img", "img_dir", "jpegimages", "photos", "data", "input", "inputs", "image_2", "",
)  # fmt: skip
_FOR_PEOPLE = re.compile(r"human|colou?r|visual|overlay|preview|_viz?$|_rgb$|^instances?$", re.IGNORECASE)
_SUFFIX = re.compile(r"[_-](masks?|labels?|seg|segmentation|gt)$|annot$", re.IGNORECASE)
_BRUSH = re.compile(r"task-\d+-annotation-\d+-by-.+-\d+")  # Label Studio's, one for each class of a task
_BESIDE = "_mask"
_VOC = re.compile(r"Segmentation(Class|Object)(?!Npy)(\w*)")
_CITYSCAPES = re.compile(r"(.+)_gt(?:Fine|Coarse)_(labelIds|labelTrainIds|instanceIds|instanceTrainIds|color)$")
_CAMERA = re.compile(r"_(leftImg8bit|rightImg8bit)$")


@dataclass(frozen=True)
class MaskPair:
    """image: "" where it is not there. instances: the PNG that says which pixels are one object, or "".

    known: "voc", "cityscapes" or "trainids", whose classes are known without a list.
    """

    mask: str
    image: str
    instances: str = ""
    known: str = ""


@dataclass
class MaskFiles:
    """pairs, in order of the masks. others: image files of a set of masks that say nothing more."""

    pairs: list[MaskPair] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    @property
    def files(self) -> list[str]:
        """Every image file that is no image of the dataset."""
        own = [file for pair in self.pairs for file in (pair.mask, pair.instances) if file]
        return [*own, *self.others]


def find_masks(files: Iterable[str]) -> MaskFiles:
    """The masks among the files of a folder."""
    images = [file for file in files if PurePosixPath(file).suffix.lower() in EXTENSIONS]
    pngs = [file for file in images if file.lower().endswith(".png")]
    if not pngs:
        return MaskFiles()
    found = MaskFiles()
    left = _take_cityscapes(pngs, images, found)
    left = _take_voc(left, images, found)
    found.others += [file for file in left if _BRUSH.fullmatch(PurePosixPath(file).stem)]
    left = [file for file in left if file not in found.others]
    beside = _Beside(images)
    for file in left:
        image = beside.image_of(file)
        if image:
            found.pairs.append(MaskPair(file, image))
    taken = {pair.mask for pair in found.pairs}
    _take_folders([file for file in left if file not in taken], beside, found)
    found.pairs.sort(key=lambda pair: pair.mask)
    return found


def _take_cityscapes(pngs: list[str], images: list[str], found: MaskFiles) -> list[str]:
    """Add the masks that are called as Cityscapes calls them; the PNGs that are not."""
    of_scene: dict[str, dict[str, str]] = defaultdict(dict)
    left = []
    for file in pngs:
        match = _CITYSCAPES.fullmatch(PurePosixPath(file).stem)
        if match:
            of_scene[match[1]][match[2]] = file
        else:
            left.append(file)
    if not of_scene:
        return left
    by_scene = {_CAMERA.sub("", PurePosixPath(file).stem): file for file in images}
    for scene, kinds in of_scene.items():
        kind = next((kind for kind in ("labelIds", "labelTrainIds") if kind in kinds), None)
        used: set[str] = {kind} if kind else set()
        if kind:
            instances = kinds.get("instanceIds", "") if kind == "labelIds" else ""
            used |= {"instanceIds"} if instances else set()
            known = "cityscapes" if kind == "labelIds" else "trainids"
            found.pairs.append(MaskPair(kinds[kind], by_scene.get(scene, ""), instances, known))
        found.others += [file for name, file in kinds.items() if name not in used]
    return left


def _take_voc(pngs: list[str], images: list[str], found: MaskFiles) -> list[str]:
    """Add the PNGs of SegmentationClass/ and SegmentationObject/; those that stand elsewhere."""
    classes: dict[str, str] = {}
    objects: dict[str, str] = {}
    left = []
    for file in images:
        match = next((match for part in PurePosixPath(file).parts[:-1] if (match := _VOC.fullmatch(part))), None)
        if match is None:
            left.append(file)
        elif file.lower().endswith(".png") and not _FOR_PEOPLE.search(match[2]):
            (classes if match[1] == "Class" else objects)[file] = _VOC.sub("*", file)
        else:
            found.others.append(file)
    if not classes and not objects:
        return pngs
    photos: dict[str, list[str]] = defaultdict(list)
    for file in left:
        photos[PurePosixPath(file).stem].append(file)
    instances = {key: file for file, key in objects.items()}
    for file, key in classes.items():
        near = photos[PurePosixPath(file).stem]
        found.pairs.append(MaskPair(file, _nearest(near, file), instances.pop(key, ""), "voc"))
    found.others += instances.values()
    own = {*found.files}
    return [file for file in pngs if file not in own]


def _nearest(images: list[str], file: str) -> str:
    """Of images of one name, the one with the most leading folders of a mask; "" where several have."""

    def shared(image: str) -> int:
        pairs = zip(PurePosixPath(image).parts[:-1], PurePosixPath(file).parts[:-1], strict=False)
        return next((number for number, (one, other) in enumerate(pairs) if one != other), 99)

    most = max(map(shared, images), default=0)
    near = [image for image in images if shared(image) == most]
    return near[0] if len(near) == 1 else ""


class _Beside:
    """Image files by their folder, and stem or name."""

    def __init__(self, images: list[str]) -> None:
        self.by_place: dict[tuple[str, str], str] = {}
        self.folders: set[str] = set()
        for file in images:
            path = PurePosixPath(file)
            self.folders.add(str(path.parent).lower())
            for key in (path.stem, path.name):
                self.by_place.setdefault((str(path.parent).lower(), key), file)

    def image_of(self, file: str) -> str:
        """NAME.jpg of a NAME_mask.png beside it, or ""."""
        path = PurePosixPath(file)
        if not path.stem.endswith(_BESIDE):
            return ""
        return self.by_place.get((str(path.parent).lower(), path.stem.removesuffix(_BESIDE)), "")

    def partners(self, file: str) -> tuple[list[str], str]:
        """(folders that may hold a mask's image, the part of the mask's folder that says that it holds masks)."""
        parts = PurePosixPath(file).parts[:-1]
        for at in range(len(parts) - 1, -1, -1):
            if _MASK_FOLDER.fullmatch(parts[at]):
                names = (*_IMAGE_FOLDERS, _SUFFIX.sub("", parts[at]))
                paths = [str(PurePosixPath(*parts[:at], name, *parts[at + 1 :])).lower() for name in names]
                own = str(PurePosixPath(*parts)).lower()
                return [path for path in dict.fromkeys(paths) if path in self.folders and path != own], parts[at]
        return [], ""

    def partner(self, file: str, folders: list[str]) -> str:
        stem = PurePosixPath(file).stem
        for name in dict.fromkeys((stem, _SUFFIX.sub("", stem))):
            for folder in folders:
                image = self.by_place.get((folder, name))
                if image and image != file:
                    return image
        return ""


def _beside_images(file: str, folders: list[str]) -> bool:
    """Whether one of the folders has another name than the mask's own folder, as images/ has."""
    depth = len(PurePosixPath(file).parts) - 1
    return any(len(PurePosixPath(folder).parts) == depth for folder in folders)


def _take_folders(pngs: list[str], beside: _Beside, found: MaskFiles) -> None:
    """Add the PNGs of folders of masks: half of a folder's have an image, or its name says that it holds masks."""
    by_folder: dict[PurePosixPath, list[str]] = defaultdict(list)
    for file in pngs:
        by_folder[PurePosixPath(file).parent].append(file)
    for _, of_folder in sorted(by_folder.items()):
        folders, name = beside.partners(of_folder[0])
        if not folders:
            continue
        pairs = [MaskPair(file, beside.partner(file, folders)) for file in of_folder]
        known = sum(bool(pair.image) for pair in pairs)
        if 2 * known < len(pairs) and not (name.lower() == _CERTAIN and _beside_images(of_folder[0], folders)):
            continue
        if _FOR_PEOPLE.search(name):
            found.others += of_folder
        else:
            found.pairs += pairs
