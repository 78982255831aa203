"""Code that downloads a version and loads it, of these kinds."""

from __future__ import annotations

KINDS = (
    "tfds", "tf.data", "keras", "torch", "yolo", "yolo-seg", "yolo-pose", "yolo-obb", "hf", "webdataset", "grain",
    "mlflow", "wandb",
)  # fmt: skip
