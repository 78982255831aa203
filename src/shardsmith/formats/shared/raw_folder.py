"""What a reader is given; and, from source.py, what it returns."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath

from shardsmith.dataset.archive import check_file
from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.images import EXTENSIONS, ImageInfo
from shardsmith.formats.shared.names import NameIndex, clean_path, difference, ending_with, fold_path, nearest
from shardsmith.formats.shared.source import ImageEntry as ImageEntry
from shardsmith.formats.shared.source import Source as Source
from shardsmith.formats.shared.text import encoding_of

SHOWN = 300  # characters of a name from the data, in a finding
_NOT_UTF8 = re.compile("[\ud800-\udfff]")  # what os.walk makes of such a byte
_CACHED = re.compile(r".*/files/md5/[0-9a-f]{2}/[0-9a-f]{30}", re.DOTALL)  # an object in a cache of DVC's


class RawFolder:
    """The files below data/raw, by their POSIX path below it, and what the images' own bytes say.

    matched: (annotation file, name) -> the finding about a name that is not quite the image's.
    claims: image_id -> the names it was found by; taken: those of them that a format's own rule gives another name.
    """

    def __init__(self, root: Path, files: list[str]) -> None:
        self.root = root
        self.files = sorted(files)
        self.images: dict[str, ImageInfo] = {}
        self.unpacked: dict[str, Path] = {}
        self.annotation_images: frozenset[str] = frozenset()
        self.forget_matches()

    @classmethod
    def scan(cls, root: Path) -> RawFolder:
        """List the files; hidden ones are left out, as every labelling tool means them to be.

        Raises:
            RawDataError: the folder is missing or empty, a link leads out of it (and not to an object of DVC's cache,
                which is what `cache.type symlink` makes of each file), something in it is no file, or its name is not
                UTF-8.
        """
        if not root.is_dir():
            raise RawDataError(
                f"{root}: no such folder; put images and annotations there, "
                f"or draw the sample: shardsmith sample {root}"
            )
        top = root.resolve()
        files = []
        for folder, subfolders, names in os.walk(root, followlinks=True):
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            for path in [Path(folder, name) for name in (*subfolders, *names)]:
                if path.is_symlink() and not _leads_inside(path, top):
                    raise RawDataError(f"{path}: a link that leads out of {root}; copy its target there instead")
                if path.is_symlink() and top.is_relative_to(path.resolve()):
                    raise RawDataError(f"{path}: a link to a folder that holds it; delete it")
                check_file(path)
            files += [Path(folder, name).relative_to(root).as_posix() for name in names if not name.startswith(".")]
        if unnamed := next((file for file in files if _NOT_UTF8.search(file)), None):
            shown = os.fsencode(unnamed).decode("utf-8", "backslashreplace")
            raise RawDataError(f"{root}/{shown}: its name is not UTF-8; rename it")
        if not files:
            raise RawDataError(
                f"{root}: the folder is empty; put images and annotations there, "
                f"or draw the sample: shardsmith sample {root}"
            )
        return cls(root, files)

    @cached_property
    def image_files(self) -> list[str]:
        """The image_id of every image: files, and what a format unpacked."""
        files = [file for file in self.files if PurePosixPath(file).suffix.lower() in EXTENSIONS]
        return sorted([*(file for file in files if file not in self.annotation_images), *self.unpacked])

    def set_aside(self, files: Iterable[str]) -> None:
        """Image files that are annotations, such as masks: none of them is an image of the dataset."""
        self.annotation_images = frozenset(files)
        self._forget()

    def add_unpacked(self, images: dict[str, Path]) -> None:
        """Images that stood inside annotation files, as files elsewhere: image_id -> file."""
        self.unpacked |= images
        self._forget()

    def _forget(self) -> None:
        for name in ("image_files", "_image_set", "_by_name", "_by_stem", "_names"):
            self.__dict__.pop(name, None)

    def forget_matches(self) -> None:
        """Before the formats that are to be read look for their images."""
        self.matched: dict[tuple[str, str], Finding] = {}
        self.claims: dict[str, tuple[str, ...]] = {}
        self.taken: set[str] = set()

    def without(self, files: Collection[str]) -> RawFolder:
        """The same images with fewer annotation files."""
        rest = RawFolder(self.root, [file for file in self.files if file not in files])
        rest.images, rest.unpacked, rest.annotation_images = self.images, self.unpacked, self.annotation_images
        rest.matched, rest.claims, rest.taken = self.matched, self.claims, self.taken
        return rest

    def path(self, image_id: str) -> Path:
        """The file with an image's bytes."""
        return self.unpacked.get(image_id) or self.root / image_id

    def with_suffix(self, suffix: str) -> list[str]:
        return [file for file in self.files if file.lower().endswith(suffix)]

    def head(self, file: str, size: int = 4096) -> str:
        """The first bytes of a text file, for `detect`."""
        with (self.root / file).open("rb") as stream:
            data = stream.read(size)
        return data.decode(encoding_of(data), errors="replace")

    def text(self, file: str) -> str:
        """
        Raises:
            RawDataError: it is not UTF-8 (with or without a byte order mark), nor UTF-16 with one.
        """
        data = (self.root / file).read_bytes()
        try:
            return data.decode(encoding_of(data))
        except UnicodeDecodeError as error:
            at = f"{error.reason} at byte {error.start}"
            raise RawDataError(f"{file}: not UTF-8 ({at}); save it as UTF-8") from None

    def locate(
        self, name: str, annotation_file: str, place: str = "", *, near: bool = True, claim: str = ""
    ) -> str | Finding:
        """The image that an annotation means by `name`.

        The nearest wins: the path as given below data/raw or below the annotation's folder, then the folder beside it
        whose path matches, then the only file of that name anywhere; last, the only one whose name differs in what
        names.py lists, which is kept in `matched`.

        Args:
            near: whether a name that is not quite the image's will do.
            claim: what tells this image of the source from its others, where that is not its name.
        """
        wanted = clean_path(name)
        image = self._exact(wanted, annotation_file)
        if not image and near:
            image = self._near(wanted, annotation_file)
            if len(image) == 1:
                self.note(image[0], name, annotation_file, place)
        if len(image) == 1:
            self._claim(image[0], claim or wanted.name)
            self.taken |= {image[0]} if claim else set()
            return image[0]
        if not image:
            return found("image-missing", annotation_file, place, name[:SHOWN])
        return found("image-ambiguous", annotation_file, place, name[:SHOWN], f"it could be {' or '.join(image[:4])}")

    def _claim(self, image_id: str, name: str) -> None:
        names = self.claims.get(image_id, ())
        if name not in names:
            self.claims[image_id] = (*names, name)

    def locate_any(self, names: list[str], annotation_file: str, place: str = "", claim: str = "") -> str | Finding:
        """The image by the first of several names that is one's own; else by one that is not quite."""
        answers: list[Finding] = []
        for near in (False, True):
            for name in names:
                image = self.locate(name, annotation_file, place, near=near, claim=claim)
                if isinstance(image, str):
                    return image
                answers.append(image)
            if ambiguous := next((each for each in answers if each.code == "image-ambiguous"), None):
                return ambiguous
        return answers[0] if answers else found("image-missing", annotation_file, place)

    def _exact(self, wanted: PurePosixPath, annotation_file: str) -> list[str]:
        """The images with that very name: one, or those that it could be."""
        folder = PurePosixPath(annotation_file).parent
        for candidate in (folder / wanted, wanted, folder / wanted.name):
            if str(candidate) in self._image_set:
                return [str(candidate)]
        same_name = self._by_name.get(wanted.name, [])
        for matching in (ending_with(same_name, wanted), nearest(same_name, annotation_file)):
            if len(matching) == 1:
                return matching
        return same_name

    def _near(self, wanted: PurePosixPath, annotation_file: str) -> list[str]:
        """The images whose names differ the least; one, or those that it could be."""
        folded = fold_path(wanted)
        for images in self._names.matches(wanted.name):
            ending = [image for image in images if ending_with([str(fold_path(PurePosixPath(image)))], folded)]
            for matching in (ending, nearest(images, annotation_file)):
                if len(matching) == 1:
                    return matching
            if images:
                return images
        return []

    def note(self, image: str, name: str, annotation_file: str, place: str = "") -> None:
        """That an image was found by a name that is not quite its own."""
        reason = f"taken for {image} ({difference(clean_path(name).name, image)})"
        self.matched[annotation_file, name] = found(
            "image-name-matched", annotation_file, place, name[:SHOWN], reason, image_id=image
        )

    def locate_stem(self, annotation_file: str) -> str | None:
        """The image whose name differs from the annotation file's in its extension alone, if just one is nearest."""
        same_stem = self._by_stem.get(PurePosixPath(annotation_file).stem, [])
        beside = [file for file in same_stem if PurePosixPath(file).parent == PurePosixPath(annotation_file).parent]
        near = beside or nearest(same_stem, annotation_file)
        return near[0] if len(near) == 1 else None

    def near_stem(self, annotation_file: str) -> str | None:
        """The only image whose stem is nearly the annotation file's; say so by `note`, where it is taken."""
        images = self._near(PurePosixPath(PurePosixPath(annotation_file).stem), annotation_file)
        return images[0] if len(images) == 1 else None

    @cached_property
    def _names(self) -> NameIndex:
        return NameIndex(self.image_files)

    @cached_property
    def _image_set(self) -> frozenset[str]:
        return frozenset(self.image_files)

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        by_name = defaultdict(list)
        for file in self.image_files:
            by_name[PurePosixPath(file).name].append(file)
        return by_name

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        by_stem = defaultdict(list)
        for file in self.image_files:
            by_stem[PurePosixPath(file).stem].append(file)
        return by_stem


def _leads_inside(link: Path, top: Path) -> bool:
    target = link.resolve()
    return target.is_relative_to(top) or _CACHED.fullmatch(str(target)) is not None
