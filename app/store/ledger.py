"""The ledger's tables. An entry can be appended, nothing else: the database itself refuses UPDATE and DELETE.

An entry that is committed becomes a leaf of one Merkle tree (RFC 6962) when the sequencer gets to it, later and in a
transaction of its own. Only this module touches these tables.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.ledger import Channel, EntryKind, Grade
from app.kit.database import Base, Json


class LedgerEntry(Base):
    """One entry; the columns are those of `domain.ledger.Entry`.

    `commitment` is a keyed digest of all of them. Neither person nor spell is a foreign key: entries outlive whoever
    is erased.
    """

    __tablename__ = "ledger"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[EntryKind]
    worker_id: Mapped[int | None] = mapped_column(index=True)
    spell_id: Mapped[int | None] = mapped_column(index=True)
    channel: Mapped[Channel | None]
    evidence: Mapped[Grade | None]
    happened_at: Mapped[datetime]
    written_at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(60))
    refers_to: Mapped[int | None] = mapped_column(index=True)
    facts: Mapped[dict[str, Any]] = mapped_column(Json)
    note: Mapped[str | None] = mapped_column(Text)
    commitment: Mapped[str] = mapped_column(String(64))


class LedgerKey(Base):
    """The key of one person's commitments and notes, sealed; 0 is the office's own. Without it nothing opens."""

    __tablename__ = "ledger_keys"

    worker_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sealed: Mapped[str] = mapped_column(String(200))


class LedgerLeaf(Base):
    """An entry's place in the tree, with its hash and the sequencer's signature over both, in hex."""

    __tablename__ = "ledger_leaves"

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(unique=True)
    hash: Mapped[str] = mapped_column(String(64))
    signature: Mapped[str] = mapped_column(String(128))


class LedgerNode(Base):
    """The hash of a whole subtree of 2^level leaves, kept so that a proof needs a few rows instead of all."""

    __tablename__ = "ledger_nodes"

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(String(64))


class LedgerCheckpoint(Base):
    """A signed statement of the tree's size and root, as it is published."""

    __tablename__ = "ledger_checkpoints"

    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    root: Mapped[str] = mapped_column(String(64))
    signed_at: Mapped[datetime]
    note: Mapped[str] = mapped_column(Text)
