"""Checkpoints of the ledger as files, a day a file: kept outside the database, they show what was taken out of it."""

import secrets
from datetime import date
from pathlib import Path

from app.domain.checkpoints import read_checkpoint


class CheckpointKept(Exception):
    """A file holds a checkpoint that the new one does not grow out of; it stays."""


def keep_checkpoint(folder: Path, note: str, *, today: date) -> Path:
    """Write the day's checkpoint, whole or not at all, and take the place of an earlier one of a smaller tree.

    Raises:
        CheckpointKept: the day's file is of a larger tree, of another one, or no checkpoint.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{today.isoformat()}.txt"
    write_checkpoint(path, note)
    return path


def write_checkpoint(path: Path, note: str) -> None:
    """Write a checkpoint to a file, whole or not at all. Raises what `keep_checkpoint` raises."""
    if path.exists():
        before = path.read_text(encoding="utf-8")
        if before == note:
            return
        try:
            old, new = read_checkpoint(before), read_checkpoint(note)
        except ValueError:
            raise CheckpointKept(f"{path} holds no checkpoint") from None
        is_same = (old.size, old.root) == (new.size, new.root)
        if old.origin != new.origin or not (old.size < new.size or is_same):
            raise CheckpointKept(f"{path} holds the checkpoint of another or a larger tree")
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        scratch.write_text(note, encoding="utf-8")
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def read_kept(folder: Path) -> list[str]:
    """The checkpoints that are kept in a folder, the oldest first; none where there is no folder."""
    return [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt"))]


def read_newest(folder: Path) -> str | None:
    """The newest checkpoint that is kept in a folder."""
    newest = max(folder.glob("*.txt"), default=None)
    return None if newest is None else newest.read_text(encoding="utf-8")
