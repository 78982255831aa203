"""What a record of ours holds, as its keys and values."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError

from shardsmith.dataset.messages import Example


def parse_features(data: bytes) -> Any:
    """key -> tf.train.Feature; None for what is no tf.train.Example."""
    try:
        return Example.FromString(data).features.feature
    except DecodeError:
        return None


def image_id(features: Any) -> str:
    """The image_id of a parsed record."""
    source, file = (features[f"image/{key}"].bytes_list.value for key in ("source_id", "filename"))
    return id_of(source[0] if source else b"", file[0] if file else b"") or "without image/source_id"


def id_of(source_id: bytes, filename: bytes) -> str:
    """An image_id by what a record says: its filename, where the source_id is a number in digits. Older versions
    have the image_id as the source_id, and the last part of it as the filename.
    """
    return ((filename if source_id.isdigit() else b"") or source_id).decode(errors="replace")
