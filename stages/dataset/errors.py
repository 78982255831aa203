"""Every error that Shardsmith raises on purpose.

    ShardsmithError
    ├── ParamsError      params.yaml or --set: a key or value that is not allowed
    ├── RawDataError     data/raw cannot be read as a dataset
    ├── FindingError     a finding whose action is `fail`
    ├── StageError       a stage's input or output on disk is not what it should be
    └── VersionError     recording, listing or pulling a version

A message says where, what, and what to do: "labels/a.txt:3: class 7, but the class list has 5; add it or fix the
line". `stages.dataset.command` prints it and exits with 1; a traceback means a bug in Shardsmith.
"""


class ShardsmithError(Exception):
    """The root: catch this to catch all of them."""


class ParamsError(ShardsmithError):
    """A key or value in params.yaml or --set that is not allowed."""


class RawDataError(ShardsmithError):
    """Raw data that cannot be read as a dataset at all (one bad item is a finding instead)."""


class FindingError(ShardsmithError):
    """At least one finding whose action is `fail`."""


class StageError(ShardsmithError):
    """A stage's input or output on disk is not what it should be."""


class VersionError(ShardsmithError):
    """A version cannot be recorded, listed or pulled."""
