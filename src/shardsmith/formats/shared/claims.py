"""Images that several names were taken for, not all quite their own: nobody knows whose boxes are whose."""

from __future__ import annotations

from shardsmith.dataset.findings import Finding, found
from shardsmith.formats.shared.raw_folder import RawFolder, Source


def take_out_contested(folder: RawFolder, source: Source) -> list[Finding]:
    """Take their annotations out of `source`, a finding for each."""
    near = {finding.image_id for finding in folder.matched.values()} | folder.taken
    reasons = {
        image: f"{' and '.join(sorted(names)[:4])} are taken for the same image"
        for image, names in folder.claims.items()
        if len(names) > 1 and image in near
    }
    if not reasons:
        return []
    gone = [row for row in source.annotations if row.image_id in reasons]
    source.annotations = [row for row in source.annotations if row.image_id not in reasons]
    return [
        found("image-ambiguous", row.image_id, "", row.label, reasons[row.image_id], row.image_id, row.source_key or "")
        for row in gone
    ]
