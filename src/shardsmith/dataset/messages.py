"""The two protocol buffer messages that we write, declared without importing TensorFlow.

Field numbers and types are those of tensorflow/core/example/{example,feature}.proto and of the Object Detection
API's string_int_label_map.proto. They live in a descriptor pool of their own, so that TensorFlow can be imported
into the same process.
"""

from __future__ import annotations

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto


def _add_field(
    message: descriptor_pb2.DescriptorProto, number: int, name: str, kind: int, of: str = "", many: bool = False
) -> None:
    field = message.field.add(
        name=name, number=number, type=kind, label=_Field.LABEL_REPEATED if many else _Field.LABEL_OPTIONAL
    )
    if of:
        field.type_name = f".shardsmith.{of}"


def _declare_example(file: descriptor_pb2.FileDescriptorProto) -> None:
    for name, kind in (
        ("BytesList", _Field.TYPE_BYTES),
        ("FloatList", _Field.TYPE_FLOAT),
        ("Int64List", _Field.TYPE_INT64),
    ):
        _add_field(file.message_type.add(name=name), 1, "value", kind, many=True)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, name in enumerate(("BytesList", "FloatList", "Int64List"), start=1):
        _add_field(feature, number, name.lower().replace("list", "_list"), _Field.TYPE_MESSAGE, of=name)
        feature.field[-1].oneof_index = 0
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    _add_field(entry, 1, "key", _Field.TYPE_STRING)
    _add_field(entry, 2, "value", _Field.TYPE_MESSAGE, of="Feature")
    _add_field(features, 1, "feature", _Field.TYPE_MESSAGE, of="Features.FeatureEntry", many=True)
    _add_field(file.message_type.add(name="Example"), 1, "features", _Field.TYPE_MESSAGE, of="Features")


def _declare_label_map(file: descriptor_pb2.FileDescriptorProto) -> None:
    item = file.message_type.add(name="StringIntLabelMapItem")
    _add_field(item, 1, "name", _Field.TYPE_STRING)
    _add_field(item, 2, "id", _Field.TYPE_INT32)
    _add_field(item, 3, "display_name", _Field.TYPE_STRING)
    label_map = file.message_type.add(name="StringIntLabelMap")
    _add_field(label_map, 1, "item", _Field.TYPE_MESSAGE, of="StringIntLabelMapItem", many=True)


def _build() -> descriptor_pool.DescriptorPool:
    example = descriptor_pb2.FileDescriptorProto(name="shardsmith/example.proto", package="shardsmith", syntax="proto3")
    _declare_example(example)
    # proto2, as the Object Detection API has it: an unset id differs from 0
    labels = descriptor_pb2.FileDescriptorProto(name="shardsmith/labels.proto", package="shardsmith", syntax="proto2")
    _declare_label_map(labels)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(example)
    pool.Add(labels)
    return pool


_POOL = _build()
Example = message_factory.GetMessageClass(_POOL.FindMessageTypeByName("shardsmith.Example"))
StringIntLabelMap = message_factory.GetMessageClass(_POOL.FindMessageTypeByName("shardsmith.StringIntLabelMap"))
