"""What the tests of test_yolo share."""

from __future__ import annotations

from conftest import image_bytes

A, B, C = (image_bytes(32, 24, seed=seed) for seed in range(3))


YOLO = ["ultralytics", "yolo_darknet", "yolo_keras"]
