"""Checkpoints of the ledger as files, a day a file: kept outside the database, they show what was taken out of it."""

import secrets
from datetime import date
from pathlib import Path

from app.domain.checkpoints import Checkpoint, read_checkpoint


class CheckpointKept(Exception):
    """A file holds a checkpoint that the new one does not grow out of; it stays."""


def keep_checkpoint(folder: Path, note: str, *, today: date) -> Path:
    """Write the day's checkpoint, whole or not at all, and take the place of an earlier one of a smaller tree.

    Raises:
        CheckpointKept: some file in the folder, of whatever day, is of a larger tree or of another one of this size, or
            it is no checkpoint; or the day's is of another log.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    largest = read_largest(folder)
    if largest is not None and not _may_follow(read_checkpoint(largest), read_checkpoint(note)):
        raise CheckpointKept(f"{folder} holds the checkpoint of another or a larger tree")
    path = folder / f"{today.isoformat()}.txt"
    write_checkpoint(path, note)
    return path


def write_checkpoint(path: Path, note: str) -> None:
    """Write a checkpoint to a file, whole or not at all. Raises what `keep_checkpoint` raises."""
    if path.exists():
        try:
            before = path.read_text(encoding="utf-8")
            if before == note:
                return
            old, new = read_checkpoint(before), read_checkpoint(note)
        except ValueError:
            raise CheckpointKept(f"{path} holds no checkpoint") from None
        if not _may_follow(old, new):
            raise CheckpointKept(f"{path} holds the checkpoint of another or a larger tree")
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        scratch.write_text(note, encoding="utf-8")
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def list_kept(folder: Path) -> list[Path]:
    """The files that are kept in a folder, the oldest first, read by nobody yet; none where there is no folder."""
    return sorted(folder.glob("*.txt"))


def read_largest(folder: Path) -> str | None:
    """The checkpoint of the largest tree that is kept in a folder, of whatever day; None where none is kept.

    The latest need not be it: after an old copy of the database was put back, a smaller tree is signed on a later day.

    Raises:
        CheckpointKept: some file holds no checkpoint.
        OSError: a file cannot be read.
    """
    largest: tuple[int, str] | None = None
    for path in list_kept(folder):
        try:
            note = path.read_text(encoding="utf-8")
            size = read_checkpoint(note).size
        except ValueError:
            raise CheckpointKept(f"{path} holds no checkpoint") from None
        if largest is None or size > largest[0]:
            largest = size, note
    return None if largest is None else largest[1]


def _may_follow(old: Checkpoint, new: Checkpoint) -> bool:
    """Whether a checkpoint may be of the same log as an older one; that it grew out of it only the tree can tell."""
    is_same = (old.size, old.root) == (new.size, new.root)
    return old.origin == new.origin and (old.size < new.size or is_same)
