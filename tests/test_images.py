"""Image files: orientation, modes, damage, and what may leave."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from conftest import image_bytes
from PIL import Image, ImageOps

from shardsmith.dataset.boxes import upright_boxes
from shardsmith.dataset.images import decode, decoding_error, encode, extension_contradicts, portable, probe

QUARTERS = np.zeros((24, 40, 3), np.uint8)  # every turn of it looks different
QUARTERS[:12, :20] = 255, 0, 0
QUARTERS[:12, 20:] = 0, 255, 0
QUARTERS[12:, 20:] = 0, 0, 255


def saved(image: Image.Image, format: str, **save: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **save)
    return stream.getvalue()


def turned(format: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(Image.fromarray(QUARTERS), format, exif=exif)


def as_pillow_shows(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(format: str, orientation: int) -> None:
    data = turned(format, orientation)
    shown = as_pillow_shows(data)
    info = probe(data)
    assert (info.height, info.width) == shown.shape[:2]
    assert info.orientation == orientation
    assert info.stored_size == (40, 24)
    assert np.abs(decode(data).astype(int) - shown).max() <= 2

    leaving, leaving_format = portable(data, info.format or "", orientation)
    after = probe(leaving)
    assert (after.width, after.height, after.orientation) == (info.width, info.height, 1)
    assert after.format == leaving_format == ("jpeg" if format == "JPEG" else "png")
    assert np.abs(decode(leaving).astype(int) - shown).mean() < 6  # colour is halved in a JPEG that is encoded again
    assert (leaving is data) == (orientation == 1 and format in ("JPEG", "PNG"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_turn_with_the_pixels(orientation: int) -> None:
    stored = np.zeros((30, 50, 3), np.uint8)
    stored[4:9, 7:20] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    shown = as_pillow_shows(saved(Image.fromarray(stored), "PNG", exif=exif))
    rows, columns = np.nonzero(shown[:, :, 0])
    drawn = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    height_px, width_px = shown.shape[:2]
    assert upright_boxes(np.array([[7.0, 4, 20, 9]]), orientation, width_px, height_px).tolist() == [drawn]


@pytest.mark.parametrize(
    ("value", "why"), [(0, "below 1"), (9, "above 8"), (65535, "far above 8")], ids=lambda value: str(value)
)
def test_an_orientation_that_exif_does_not_know_is_none(value: int, why: str) -> None:
    data = turned("JPEG", value)
    assert probe(data).orientation == 1, why
    assert decode(data).shape == (24, 40, 3)


def test_xmp_does_not_turn_an_image() -> None:
    """No browser and no labelling tool follows it."""
    data = saved(Image.fromarray(QUARTERS), "JPEG", xmp=b'<x tiff:Orientation="6"/>')
    assert Image.open(io.BytesIO(data)).getexif().get(0x0112) == 6, "Pillow would"
    assert (probe(data).width, probe(data).orientation) == (40, 1)
    assert decode(data).shape == (24, 40, 3)


def test_exif_behind_the_pixels_of_a_png() -> None:
    data = turned("PNG", 6)
    at = data.index(b"eXIf") - 4
    length = int.from_bytes(data[at : at + 4], "big") + 12
    moved = data[:at] + data[at + length : -12] + data[at : at + length] + data[-12:]
    assert (probe(moved).width, probe(moved).height, probe(moved).orientation) == (24, 40, 6)
    assert decode(moved).shape == (40, 24, 3)


SIXTEEN_BITS = (np.arange(24 * 40).reshape(24, 40) * 68).astype(np.uint16)
MODES = [
    ("grey", "JPEG", [76, 76, 76]),
    ("CMYK", "JPEG", [254, 0, 0]),
    ("RGBA", "PNG", [255, 0, 0]),
    ("LA", "PNG", [76, 76, 76]),
    ("P", "PNG", [255, 0, 0]),
    ("CMYK", "TIFF", [255, 0, 0]),
    ("16 bit", "PNG", [int(SIXTEEN_BITS[2, 2]) >> 8] * 3),
    ("16 bit", "TIFF", [int(SIXTEEN_BITS[2, 2]) >> 8] * 3),
]


@pytest.mark.parametrize(("mode", "format", "corner"), MODES, ids=lambda value: str(value).replace(" ", ""))
def test_every_mode_becomes_8_bit_rgb(mode: str, format: str, corner: list[int]) -> None:
    image = Image.fromarray(SIXTEEN_BITS if mode == "16 bit" else QUARTERS)
    if mode != "16 bit":
        image = image.convert("L" if mode == "grey" else mode)
    data = saved(image, format)
    info = probe(data)
    assert (info.width, info.height, info.format, info.error) == (40, 24, format.lower(), "")
    assert decoding_error(data, format.lower()) == ""
    pixels = decode(data)
    assert (pixels.shape, pixels.dtype) == ((24, 40, 3), np.uint8)
    assert np.abs(pixels[2, 2].astype(int) - corner).max() <= 2


CUT_SHORT = [
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("PNG", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("BMP", {}),
    ("WEBP", {}),
]


@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # Pillow's, which stages silence
@pytest.mark.parametrize(("format", "save"), CUT_SHORT, ids=lambda value: str(value))
def test_every_truncation_is_found(format: str, save: dict) -> None:
    data = image_bytes(64, 48, format=format, **save)
    assert decoding_error(data, format.lower()) == ""
    cuts = [int(len(data) * share / 25) for share in range(25)] + list(range(len(data) - 24, len(data)))
    for cut in cuts:
        info = probe(data[:cut])
        assert info.error or decoding_error(data[:cut], format.lower()), f"{len(data) - cut} bytes lacking"


DAMAGED = [
    (b"", "the file is empty"),
    (b"no image", "not a known image format"),
    (b"\xff\xd8\xff", "no image header"),
]


@pytest.mark.parametrize(("data", "reason"), DAMAGED)
def test_no_image(data: bytes, reason: str) -> None:
    info = probe(data)
    assert reason in info.error
    assert (info.width, info.height, info.format, info.bytes) == (None, None, None, len(data))


def test_a_damaged_png_chunk_is_named() -> None:
    data = image_bytes(format="PNG")
    damaged = bytearray(data)
    damaged[-13] ^= 1  # the last pixels' checksum
    assert "IDAT" in decoding_error(bytes(damaged), "png")
    with pytest.raises(ValueError, match="not a known image format"):
        decode(b"no image")


def test_a_header_that_declares_too_much_is_refused() -> None:
    header = b"IHDR" + (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    rest = zlib.crc32(header).to_bytes(4, "big") + b"\x00\x00\x00\x00IDAT\x35\xaf\x06\x1e"
    info = probe(b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\x0d" + header + rest)
    assert "60000 x 60000" in info.error


def test_bytes_after_the_end_do_no_harm() -> None:
    for format in ("JPEG", "PNG"):
        assert decoding_error(image_bytes(format=format) + b"trailer", format.lower()) == ""


@pytest.mark.parametrize("format", ["jpeg", "png"])
def test_encoding_gives_the_same_bytes(format: str) -> None:
    assert encode(QUARTERS, format) == encode(QUARTERS.copy(), format)
    assert probe(encode(QUARTERS, format)).format == format


NAMES = [
    ("a.jpg", "jpeg", False),
    ("a.JPEG", "jpeg", False),
    ("a.jpg", "png", True),
    ("a.png", "jpeg", True),
    ("no_extension", "jpeg", False),
    ("a.weird", "jpeg", False),
]


@pytest.mark.parametrize(("name", "format", "contradicts"), NAMES)
def test_extension(name: str, format: str, contradicts: bool) -> None:
    assert extension_contradicts(name, format) is contradicts
