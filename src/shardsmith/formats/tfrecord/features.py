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
    values = features["image/source_id"].bytes_list.value
    return values[0].decode(errors="replace") if values else "without image/source_id"
