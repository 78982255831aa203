"""What PyTorch's programs need of torchvision where PyPI's compiled part does not load: beside a torch without CUDA."""

from __future__ import annotations

import torch

try:
    import torchvision
except RuntimeError:
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

    def nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
        order, kept = scores.argsort(descending=True), []
        area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
        while len(order):
            best, order = order[0], order[1:]
            kept.append(best)
            low = torch.maximum(boxes[best, :2], boxes[order, :2])
            shared = (torch.minimum(boxes[best, 2:], boxes[order, 2:]) - low).clamp(0).prod(1)
            order = order[shared / (area[best] + area[order] - shared) <= iou_threshold]
        return torch.stack(kept) if kept else torch.zeros(0, dtype=torch.int64)

    library.impl("nms", nms, "CPU")
    import torchvision

    torchvision.extension._has_ops = lambda: True
