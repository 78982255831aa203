"""What validate looks for in a whole dataset: odd and near-identical images, rare classes. Boxes: dataset/boxes.py."""
