"""What `convert` and `check` are asked for, as params: their own options, in their own words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shardsmith.dataset.errors import RawDataError, UsageError
from shardsmith.dataset.manifest import SPLITS
from shardsmith.formats.choice import check_reader
from shardsmith.pipeline.intake.find import SeveralFormats
from shardsmith.pipeline.params import Params, parse_params

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def make_params(read_as: str, fractions: str | None, masks: bool = False) -> Params:
    """The defaults, with what is asked for.

    Args:
        read_as: the source's format; "auto" detects it.
        fractions: see `parse_fractions`; None keeps the splits of the source.

    Raises:
        UsageError: an unknown format, or fractions that are none.
    """
    check_reader(read_as)
    text = f"ingest: {{format: '{read_as}'}}\nexport: {{masks: {str(masks).lower()}}}"
    if fractions is not None:
        shares = ", ".join(f"{split}: {share}" for split, share in parse_fractions(fractions).items())
        text += f"\nsplit: {{fractions: {{{shares}}}}}"
    return parse_params(text, "convert")


def parse_fractions(text: str) -> dict[str, float]:
    """ "0.7,0.2,0.1" -> the shares of train, valid and test; one that is left out is 0.

    Raises:
        UsageError: they are no shares, or do not make 1.
    """
    try:
        shares = [float(part) for part in text.split(",")]
    except ValueError:
        shares = []
    example = "for example --split 0.7,0.2,0.1, or --split 0.7,0.3 for train and valid"
    if not 1 <= len(shares) <= len(SPLITS) or any(not share >= 0 for share in shares):
        raise UsageError(f"--split {text}: not shares of train, valid and test; {example}")
    if abs(sum(shares) - 1) > 1e-6:
        raise UsageError(f"--split {text}: {sum(shares):g} together; the shares must make 1: {example}")
    return dict(zip(SPLITS, (*shares, 0.0, 0.0), strict=False))


def fractions_in_words(text: str) -> str:
    """`train 0.7, valid 0.3, none in test`."""
    shares = parse_fractions(text)
    return ", ".join(f"{split} {share:g}" if share else f"none in {split}" for split, share in shares.items())


def dataset_name(name: str | None, source: Path) -> str:
    """The one asked for, else made of the source's name.

    Raises:
        UsageError: not a name that a dataset can have.
    """
    if name is None:
        made = re.sub(r"[^a-z0-9_]+", "_", source.absolute().name.split(".")[0].lower()).strip("_") or "dataset"
        return made[:60] if made[0].isalpha() else f"d{made}"[:60]
    if not _NAME.fullmatch(name):
        raise UsageError(f"--name {name}: allowed: a to z, 0 to 9 and _, a letter first; for example --name my_birds")
    return name


def default_out(source: Path, to: str) -> Path:
    """Beside where the command runs: the source's name and the format."""
    return Path(f"{source.absolute().name.partition('.')[0] or 'dataset'}-{to}")


@contextmanager
def in_own_words() -> Iterator[None]:
    """What a message of the pipeline says of params.yaml, said of the options here."""
    try:
        yield
    except SeveralFormats as error:
        raise RawDataError(f"{error.what}; say which to read: --from {' | '.join(error.names)}") from None
