"""What an image of Label Studio may be called here; no disk.

A task names its image by an address: an upload (`/data/upload/PROJECT/HASH-NAME`), a file of local storage
(`/data/local-files/?d=FOLDER/NAME`, percent-encoded), a cloud storage's (`s3://`, `gs://`, `azure-blob://`), any URL,
or a link that Label Studio resolves (`/tasks/ID/resolve/?fileuri=BASE64`). Source: "Import data into Label Studio" and
`get_local_path` of label-studio-sdk.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from shardsmith.dataset.images import EXTENSIONS
from shardsmith.formats.shared.names import without_prefix

_USUAL = ("image", "img", "image_url", "url", "photo", "picture", "ocr")


def names(address: str, file_upload: str = "") -> list[str]:
    """What the image may be called, the best first."""
    plain = _path(address)
    listed = [plain, unquote(plain)]
    for name in (plain, unquote(plain), file_upload):
        path = PurePosixPath(name)
        if name and (bare := without_prefix(path.name)) != path.name:
            listed.append(bare)
    return [name for name in dict.fromkeys(listed) if name]


def _path(address: str) -> str:
    """The path in an address, decoded."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    query = parse_qs(parts.query)
    if "d" in query and "local-files" in parts.path:
        return query["d"][-1]
    if "fileuri" in query:
        try:
            return _path(base64.b64decode(query["fileuri"][-1], altchars=b"-_").decode())
        except (binascii.Error, ValueError, RecursionError):
            return address
    if len(parts.scheme) > 1:
        return unquote(parts.path).lstrip("/")
    return parts.path if address.startswith("/") else address


def image_addresses(data: dict[str, Any], target: str) -> list[str]:
    """The addresses of a task's images: of the object that a result is about, where the data has it, else of the usual.

    A list is that of several images of one task; [] where nothing looks like an image.
    """
    for key in (target, *_USUAL):
        if addresses := _addresses(data.get(key)):
            return addresses
    known = [addresses for value in data.values() if (addresses := _addresses(value))]
    likely = [each for each in known if any(looks_like_image(address) for address in each)]
    return likely[0] if likely else []


def _addresses(value: Any) -> list[str]:
    listed = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return listed if listed and all(isinstance(each, str) and each.strip() for each in listed) else []


def looks_like_image(address: str) -> bool:
    return PurePosixPath(_path(address)).suffix.lower() in EXTENSIONS
