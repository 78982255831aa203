"""Examples as bytes are those that protobuf serialises."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from shardsmith.dataset.messages import Example
from shardsmith.formats.tfrecord.wire import bytes_list, float_list, int64_list, serialise

FEATURES = st.one_of(
    st.tuples(st.just("bytes_list"), st.lists(st.binary(max_size=300), max_size=4)),
    st.tuples(st.just("float_list"), st.lists(st.floats(width=32, allow_nan=False), max_size=40)),
    st.tuples(st.just("int64_list"), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40)),
)
WRITE = {"bytes_list": bytes_list, "float_list": float_list, "int64_list": int64_list}


# none begins as another one does: there the implementations of protobuf differ in their order
KEYS = st.text("ab/é\U0001f600_", min_size=3, max_size=3)


@given(st.dictionaries(KEYS, FEATURES, min_size=1, max_size=6), st.sampled_from(["", "x" * 150]))
def test_any_features(drawn: dict, end: str) -> None:
    features = {key + end: feature for key, feature in drawn.items()}
    example = Example()
    for key, (kind, values) in features.items():
        getattr(example.features.feature[key], kind).value.extend(values)
    written = serialise({key: WRITE[kind](values) for key, (kind, values) in features.items()})
    assert written == example.SerializeToString(deterministic=True)


def test_doubles_become_floats_as_protobuf_makes_them() -> None:
    values = np.random.default_rng(0).normal(size=1000) * 1e3
    example = Example()
    example.features.feature["a"].float_list.value.extend(values.tolist())
    assert serialise({"a": float_list(values)}) == example.SerializeToString(deterministic=True)
