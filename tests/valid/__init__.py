"""Valid files of each format with every kind of shape that it knows: random, with how many shapes each image has."""

from __future__ import annotations

from valid import by_entries, by_lines, by_panlabel, by_tools
from valid.made import Made as Made
from valid.made import Maker

MAKERS: dict[str, Maker] = {
    "captions": by_entries.captions, "captions csv": by_entries.captions_csv,
    "class_folders": by_lines.class_folders, "coco": by_entries.coco, "coco_panoptic": by_tools.coco_panoptic,
    "create_ml": by_entries.create_ml, "cvat": by_lines.cvat, "cvat video": by_lines.cvat_video,
    "darwin": by_tools.darwin, "dota": by_lines.dota, "datumaro": by_tools.datumaro, "kitti": by_lines.drawn("kitti"),
    "label_studio": by_entries.label_studio, "label_studio min": by_entries.label_studio_min,
    "label_studio csv": by_entries.label_studio_csv, "labelbox": by_tools.labelbox,
    "labelme": by_lines.drawn("labelme"), "masks": by_tools.masks, "multiclass_csv": by_lines.multiclass_csv,
    "open_images": by_lines.drawn("open_images"), "retinanet_csv": by_lines.retinanet_csv,
    "supervisely": by_tools.supervisely, "tfod_csv": by_lines.tfod_csv, "tfrecord": by_lines.tfrecord,
    "ultralytics": by_lines.ultralytics, "ultralytics_ndjson": by_entries.ultralytics_ndjson,
    "via": by_lines.drawn("via_json"), "via csv": by_lines.drawn("via_csv"), "via 3": by_lines.drawn("via_3"),
    **{f"panlabel:{form}": make for form, make in by_panlabel.FORMS.items()},
    "voc": by_lines.drawn("voc"), "yolo_darknet": by_lines.yolo_darknet, "yolo_keras": by_lines.yolo_keras,
}  # fmt: skip
