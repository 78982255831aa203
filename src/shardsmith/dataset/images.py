"""Image files: what their own bytes say, whether they decode, and decoding and encoding with stable bytes.

Modes are converted in one way everywhere: 8-bit RGB; grey is repeated, alpha is dropped, 16 bits keep their upper 8.
"""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import ExifTags, Image, TiffImagePlugin

EXTENSIONS = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".webp", ".avif", ".jp2", ".ppm",
    ".pgm", ".pbm", ".tga", ".ico", ".heic", ".heif",
})  # fmt: skip
# What TensorFlow's decode_image turns into one (height, width, 3) image; a GIF or WebP gets a fourth dimension.
PORTABLE_FORMATS = frozenset({"jpeg", "png"})
MAX_PIXELS = 250_000_000
_ROOMY_PIXELS = 50_000_000  # up to here an image may be as blank as it likes
_MAX_PIXELS_A_BYTE = 1_000  # beyond: a photo has one or two, a drawing some hundred
# What Pillow may take bytes for, whatever the file is called: for EPS it would run Ghostscript.
_READABLE = ("JPEG", "PNG", "GIF", "BMP", "DIB", "PPM", "TIFF", "WEBP", "AVIF", "JPEG2000", "TGA", "ICO")
_GLANCE_PX = 32
REDUCED_FROM = 1_300_000  # below, decoding at a reduced scale gains nothing
_FORMAT_NAMES = {"MPO": "jpeg", "JPEG2000": "jp2", "DIB": "bmp"}
_EXTENSION_FORMATS = {
    ".jpg": "jpeg", ".jpeg": "jpeg", ".jpe": "jpeg", ".jfif": "jpeg", ".png": "png", ".bmp": "bmp", ".gif": "gif",
    ".tif": "tiff", ".tiff": "tiff", ".webp": "webp", ".avif": "avif",
}  # fmt: skip
_ERRORS = (
    OSError, ValueError, SyntaxError, MemoryError, EOFError, TypeError, ArithmeticError, LookupError, RuntimeError,
    struct.error, zlib.error,
)  # fmt: skip

Image.MAX_IMAGE_PIXELS = None  # refused by header in probe(), with a message of our own
warnings.filterwarnings("ignore", module=r"PIL\.")  # what counts is an error, and becomes a finding


def opened(data: bytes) -> Image.Image:
    """An image with its header read, to be closed: the only way in which one is opened here.

    Raises:
        ValueError, OSError, SyntaxError, ...: it is no image (_ERRORS), or declares more pixels than it may.
    """
    image = Image.open(io.BytesIO(data), formats=_READABLE)
    if problem := _bomb(*image.size, len(data)):
        image.close()
        raise ValueError(problem)
    return image


def _bomb(width: int, height: int, size: int) -> str:
    """Why an image of `size` bytes with so many pixels is not decoded, or ""."""
    if width * height > MAX_PIXELS:
        return f"its header declares {width} x {height} pixels, more than {MAX_PIXELS:,}"
    if width * height > max(_ROOMY_PIXELS, size * _MAX_PIXELS_A_BYTE):
        return f"its header declares {width} x {height} pixels in a file of {size:,} bytes, which can hold none of them"
    return ""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What its bytes say; width and height as displayed, None with an error. drawn_on, votes: intake/orientation.py;
    boxes_in: place in the annotation files -> how many boxes it has of the image."""

    sha256: str
    bytes: int
    width: int | None
    height: int | None
    format: str | None
    orientation: int = 1
    error: str = ""
    drawn_on: str = ""
    votes: list[str] = field(default_factory=list, compare=False, repr=False)
    boxes_in: dict[str, int] = field(default_factory=dict, compare=False, repr=False)

    @property
    def stored_size(self) -> tuple[int | None, int | None]:
        """(width, height) in pixels before the EXIF orientation is applied."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


def probe(data: bytes) -> ImageInfo:
    """Read the header; no pixel is decoded."""
    digest = hashlib.sha256(data).hexdigest()
    try:
        with opened(data) as image:
            (width, height), name = image.size, image.format or ""
            if name == "PNG" and "exif" not in image.info and b"eXIf" in data:
                image.load()  # it stands behind the pixels
            orientation = _orientation(image)
    except _ERRORS as error:
        reason = _reason(error) if data else "the file is empty"
        reason = reason if not data or reason.startswith("its header") else f"no image header: {reason}"
        return ImageInfo(digest, len(data), None, None, None, error=reason)
    if orientation >= 5 and name != "TIFF":  # Pillow gives a TIFF's size as displayed
        width, height = height, width
    return ImageInfo(digest, len(data), width, height, _FORMAT_NAMES.get(name, name.lower()), orientation)


def probe_file(path: str) -> ImageInfo:
    return probe(Path(path).read_bytes())


def extension_contradicts(name: str, format: str) -> bool:
    """Whether the file's extension says another format than its bytes."""
    expected = _EXTENSION_FORMATS.get(Path(name).suffix.lower())
    return expected is not None and expected != format


@dataclass(frozen=True, slots=True)
class Glance:
    """What one decoding tells: (height, width) uint8 grey upright, a few dozen pixels a side or more; what its colours
    are where they are not plain 8-bit grey or RGB; why it does not decode, with no grey then.
    """

    grey: np.ndarray | None
    colours: str = ""
    error: str = ""


def glance(data: bytes, format: str, orientation: int = 1) -> Glance:
    """Decode the image to its end, at the least cost that does.

    A JPEG is decoded at up to an eighth of its size in grey, which meets every truncation and bad marker at less than
    half the cost. A PNG must be whole to its end mark: TensorFlow refuses one that lacks its last 20 bytes.
    """
    try:
        if format == "jpeg":
            grey = simplejpeg.decode_jpeg(
                data, colorspace="GRAY", fastdct=True, fastupsample=True,
                min_height=_GLANCE_PX, min_width=_GLANCE_PX, min_factor=1,
            )[:, :, 0]  # fmt: skip
            colours = simplejpeg.decode_jpeg_header(data)[2]
            return Glance(_turned(grey, orientation), "CMYK" if colours in ("CMYK", "YCCK") else "")
        with opened(data) as image:
            image.load()
            colours = _colours(image, data)
            small = image if image.mode in ("L", "RGB") else _to_rgb(image)
            if (factor := min(image.size) // (2 * _GLANCE_PX)) > 1:
                small = small.reduce(factor)
            grey = np.asarray(small.convert("L"))
        if format == "png":
            _check_png_chunks(data)
    except _ERRORS as error:
        return Glance(None, error=f"it does not decode: {_reason(error)}")
    return Glance(_turned(grey, orientation if format != "tiff" else 1), colours)  # Pillow has turned a TIFF itself


def decoding_error(data: bytes, format: str) -> str:
    """Why the image does not decode to its end, or ""."""
    return glance(data, format).error


def decode(data: bytes, at_least: tuple[int, int] | None = None) -> np.ndarray:
    """The image upright: (height, width, 3) uint8, RGB.

    Args:
        at_least: a width and height in pixels that are enough: a JPEG of more than REDUCED_FROM pixels is decoded at a
            half, quarter or eighth of its sides where that is still as large. It takes a half to a fifth of the time
            and differs from shrinking by area averaging by under one grey level on average.

    Raises:
        ValueError: the bytes do not decode.
    """
    try:
        with opened(data) as image:
            if image.format in ("JPEG", "MPO"):
                orientation = _orientation(image)
                enough = _reduced_size(image.size, at_least if orientation < 5 or not at_least else at_least[::-1])
                return _turned(simplejpeg.decode_jpeg(data, **enough), orientation)
            pixels = np.asarray(_to_rgb(image))
            # asked for after decoding: Pillow has then turned a TIFF itself, and read a PNG to its end
            return _turned(pixels, _orientation(image))
    except _ERRORS as error:
        raise ValueError(_reason(error)) from None


def _reduced_size(size: tuple[int, int], at_least: tuple[int, int] | None) -> dict[str, int]:
    """What to ask of the codec; other reductions than these three change pixels more, and cost more."""
    if at_least and size[0] * size[1] > REDUCED_FROM:
        for factor in (8, 4, 2):
            width, height = -(-size[0] // factor), -(-size[1] // factor)
            if width >= at_least[0] and height >= at_least[1]:
                return {"min_width": width, "min_height": height, "min_factor": factor}
    return {}


def displayed_size(data: bytes) -> tuple[int, int]:
    """Width and height after EXIF orientation, by the header alone.

    Raises:
        ValueError: there is none.
    """
    try:
        with opened(data) as image:
            return image.size if _orientation(image) < 5 else image.size[::-1]
    except _ERRORS as error:
        raise ValueError(_reason(error)) from None


def encode(pixels: np.ndarray, format: str, quality: int = 95) -> bytes:
    """(height, width, 3) uint8 RGB as JPEG or WebP of the quality given (1 to 100), or as PNG."""
    if format == "jpeg":
        return simplejpeg.encode_jpeg(
            np.ascontiguousarray(pixels), quality=quality, colorsubsampling="420", fastdct=False
        )
    stream = io.BytesIO()
    if format == "webp":
        Image.fromarray(pixels).save(stream, "WEBP", quality=quality, method=4)
    else:
        Image.fromarray(pixels).save(stream, "PNG", compress_level=4)
    return stream.getvalue()


def portable(
    data: bytes, format: str, orientation: int, formats: frozenset[str] = PORTABLE_FORMATS
) -> tuple[bytes, str]:
    """(bytes, format) as they may leave: upright, and in one of `formats`. Untouched when they already are.

    A turned JPEG is encoded once more at quality 95; TensorFlow ignores EXIF, OpenCV applies it, and so one image
    would have two meanings. Anything else becomes PNG, which loses nothing.
    """
    if orientation == 1 and format in formats:
        return data, format
    target = format if format in formats else "png"
    return encode(decode(data), target), target


def _orientation(image: Image.Image) -> int:
    """By EXIF alone, as browsers and OpenCV have it (Pillow's getexif would follow XMP too)."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        value = image.tag_v2.get(ExifTags.Base.Orientation, 1)
    else:
        exif = Image.Exif()
        exif.load(image.info.get("exif") or b"")
        value = exif.get(ExifTags.Base.Orientation, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _check_png_chunks(data: bytes) -> None:
    """That each chunk a reader must understand is whole, up to the last.

    Raises:
        ValueError: it is not. Source: PNG specification (third edition), 5.3.
    """
    start, kind = 8, b""
    while kind != b"IEND":
        length, kind = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8]
        end = start + 8 + length
        if end + 4 > len(data):
            raise ValueError("it ends before its end mark: the file is cut off")
        if kind[:1].isupper() and zlib.crc32(memoryview(data)[start + 4 : end]) != int.from_bytes(
            data[end : end + 4], "big"
        ):
            raise ValueError(f"its chunk {kind.decode('ascii', 'replace')} at byte {start} is damaged")
        start = end + 4


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _colours(image: Image.Image, data: bytes) -> str:
    """What is not plain about an image's colours, or "". Source for PNG: its specification (third edition), 11.2.1."""
    if image.format == "PNG" and data[24] == 16:
        return "16 bit"  # Pillow opens one in colour as if it had 8
    mode = image.mode
    plain = {"P": "palette", "L": "grey", "RGB": "colour", "1": "1 bit"}
    if mode.endswith("A") or "transparency" in image.info:
        return f"{plain.get(mode.removesuffix('A'), mode)} with alpha"
    deep = "16 bit" if mode.startswith("I;16") else "32 bit" if mode in ("I", "F") else mode
    return "" if mode in plain else deep


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB")


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text[:200] if text and "BytesIO" not in text else "not a known image format"
