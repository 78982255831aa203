"""What a repair found, and did."""

from __future__ import annotations

from dataclasses import dataclass

from shardsmith.workspace.paths import RAW


@dataclass(frozen=True)
class Change:
    """One thing that was wrong.

    file: relative to the workspace, or to the remote. where: the cache, a remote or the workspace. was: damaged,
    missing or edited. did: what was done; "" where no good copy is anywhere.
    """

    file: str
    where: str
    was: str
    did: str

    def is_of(self, folder: str) -> bool:
        return self.file == folder or self.file.startswith(f"{folder}/")

    def __str__(self) -> str:
        if self.did:
            return f"repaired: {self.file} in {self.where}: {self.was}; {self.did}"
        remedy = "put the same file into data/raw and repair again" if self.is_of(RAW) else "build another version"
        return f"LOST: {self.file} in {self.where}: {self.was}, and there is no good copy; {remedy}"
