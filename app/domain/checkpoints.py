"""Checkpoints of the ledger: what is signed and kept outside (https://c2sp.org/tlog-checkpoint).

Three lines: whose log it is, how many leaves its tree has, the tree's root.
"""

import base64
import binascii
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log: `origin` names the log, `size` counts leaves, `root` has 32 bytes."""

    origin: str
    size: int
    root: bytes


def checkpoint_text(checkpoint: Checkpoint) -> str:
    """The text that is signed."""
    return f"{checkpoint.origin}\n{checkpoint.size}\n{base64.b64encode(checkpoint.root).decode()}\n"


def read_checkpoint(text: str) -> Checkpoint:
    """The checkpoint in a text, signed or not.

    Raises:
        ValueError: it holds none.
    """
    lines = text.split("\n")
    if len(lines) < 4 or not lines[0] or not (lines[1].isascii() and lines[1].isdecimal()):
        raise ValueError("no checkpoint")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except (binascii.Error, ValueError):
        root = b""
    checkpoint = Checkpoint(lines[0], int(lines[1]), root)
    if len(root) != 32 or not text.startswith(checkpoint_text(checkpoint)):
        raise ValueError("no checkpoint")
    return checkpoint
