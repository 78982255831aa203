"""What a withdrawal ends, in words: before it is done for the question, and after it for what is left to do."""

from __future__ import annotations

import shlex

from shardsmith.versions.recorded.withdraw import Plan
from shardsmith.workspace.paths import RAW


def what_ends(planned: Plan) -> list[str]:
    """For the question before it is done."""
    lines = [
        f"{version.tag}: ends ({version.images:,} images, recorded {version.created[:10]} at {version.commit[:9]})"
        for version in planned.versions
    ]
    if not planned.versions and not planned.raw and not planned.cache and not any(planned.remotes.values()):
        return ["nothing to withdraw: all that data/withdrawn.csv says is done here"]
    lines += [f"{RAW}/{file}: deleted; its annotations stay where they stand" for file in planned.raw]
    lines += [
        f"{image}: nearly identical to an image that goes, but not withdrawn with it; where it shows the same, add "
        f"--image {shlex.quote(image)}"
        for image in planned.alike
    ]
    lines += [
        f"{name}: objects that go, as no other version needs them: {len(held):,} ({sum(held.values()) / 1e6:,.1f} MB)"
        for name, held in planned.remotes.items()
    ]
    lines.append(f"the cache here: objects that go: {len(planned.cache):,}")
    if planned.others:
        named = ", ".join(planned.others[:4]) + (" ..." if planned.others[4:] else "")
        lines.append(f"the remotes: raw data stays, as versions of other repositories lie there, too ({named})")
    return lines


def what_stays(planned: Plan) -> list[str]:
    """Where parts of it are still, and what is to be done there."""
    commits = ", ".join(version.commit[:9] for version in planned.versions[:6])
    image = " without it" if planned.images else ""
    return [
        *(f"what a remote has that could not be looked into ({why}): delete it there" for why in planned.unread),
        f"git history (commits {commits or 'of before'}) keeps names, hashes, counts, parameters and label maps, and "
        "so does DVC's run cache; pixels are in neither",
        "each other clone keeps tag and data until somebody runs there: git pull && shardsmith withdraw",
        "what was pulled or zipped, ~/.cache/shardsmith/versions, old states that a bucket keeps of its objects, "
        "backups, and models trained on it: delete them where they are",
        f"data/ here is as the last build left it: shardsmith build makes the next version{image}, and replaces it",
    ]
