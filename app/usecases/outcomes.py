"""What became of the rows of a file, as an import tells it: postings and rosters alike."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

Progress = Callable[[int, int], None]
"""Called with rows done and rows in all."""


class RowOutcome(StrEnum):
    """What became of a row."""

    TAKEN = "taken"
    REVIEW = "review"
    FOLDED = "folded"
    KNOWN = "known"
    REFUSED = "refused"

    @property
    def label(self) -> str:
        return {"taken": "收下", "review": "送审", "folded": "折叠", "known": "已有", "refused": "拒绝"}[self.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowReport:
    """What became of one row and why, in Chinese. `title` is empty where a row is a person. `id` is what it led to.

    `is_renewed` says that a posting already there is valid for longer because of the row.
    """

    row: int
    outcome: RowOutcome
    reasons: tuple[str, ...] = ()
    title: str = ""
    id: int | None = None
    is_historical: bool = False
    is_renewed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What became of each row, in the order of the file; `notes` say in Chinese what holds for all of them."""

    rows: tuple[RowReport, ...]
    notes: tuple[str, ...] = ()

    def count(self, outcome: RowOutcome) -> int:
        """How many rows came out so."""
        return sum(row.outcome is outcome for row in self.rows)

    @property
    def counts(self) -> dict[str, int]:
        """Rows by outcome, every outcome named."""
        return {outcome.value: self.count(outcome) for outcome in RowOutcome}

    @property
    def told_counts(self) -> str:
        """The counts for the audit: `taken 12, review 3, …`."""
        return ", ".join(f"{outcome} {number}" for outcome, number in self.counts.items())

    @property
    def historical(self) -> int:
        """How many rows were taken as listings of the past."""
        return sum(row.is_historical and row.outcome is RowOutcome.TAKEN for row in self.rows)

    @property
    def renewed(self) -> int:
        """How many rows made a posting valid for longer."""
        return sum(row.is_renewed for row in self.rows)

    @property
    def has_changed_anything(self) -> bool:
        """Whether a row left something in the database."""
        changing = (RowOutcome.TAKEN, RowOutcome.REVIEW, RowOutcome.FOLDED)
        return any(row.is_renewed or row.outcome in changing for row in self.rows)
