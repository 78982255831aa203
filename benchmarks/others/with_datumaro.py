"""Datumaro: VOC -> tf_detection_api.

python with_datumaro.py VOC_FOLDER OUT_FOLDER
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from datumaro.components.dataset import Dataset

if __name__ == "__main__":
    dataset = Dataset.import_from(sys.argv[1], "voc_detection")
    dataset.export(sys.argv[2], "tf_detection_api", save_media=True)
