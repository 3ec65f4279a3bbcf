"""Which rows name one job: those that agree in everything but the title, and whose titles are alike.

To compare thousands of titles with each other takes a while. What a bucket led to once is remembered with what it was
asked: who asks again, with the same rows and the same postings in the database, is answered at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from app.domain.postings import plain_title

ALIKE_TITLES = 92.0  # of 100; two titles this alike, in one bucket, name one job


@dataclass(frozen=True, slots=True)
class Lead:
    """The posting that a row stands for: the one that row `row` of the file makes, else the one stored under `id`."""

    row: int | None = None
    id: int = 0


Stored = tuple[tuple[int, str], ...]
"""Postings of one bucket that are stored: (id, title), ordered by id."""

Rows = tuple[tuple[int, str], ...]
"""Rows of one bucket: (row, plain title), in the order of the file."""


class Folds:
    """Where rows lead, bucket by bucket."""

    def __init__(self) -> None:
        self._answers: dict[str, tuple[Stored, Rows, list[Lead]]] = {}

    def find(self, key: str, *, stored: Stored, rows: Rows) -> Sequence[Lead]:
        """Where each row of a bucket leads: to a posting that is there, to an earlier row, or to itself."""
        asked = self._answers.get(key)
        if asked is None or asked[:2] != (stored, rows):
            asked = self._answers[key] = (stored, rows, _fold(stored, rows))
        return asked[2]


def _fold(stored: Stored, rows: Rows) -> list[Lead]:
    bucket = _Bucket()
    for posting_id, title in stored:
        bucket.add(plain_title(title), Lead(id=posting_id))
    leads = []
    for row, title in rows:
        lead = bucket.find(title)
        if lead is None:
            lead = Lead(row=row)
            bucket.add(title, lead)
        leads.append(lead)
    return leads


class _Bucket:
    """Postings that agree in everything but the title, found by a title like theirs.

    1号厂房 and 2号厂房 are two jobs, so only titles with the same digits are compared. A file may hold thousands of
    rows that differ in nothing but their titles: those whose lengths alone make them unlike are not looked at.
    """

    def __init__(self) -> None:
        self._titles: dict[tuple[str, int], list[str]] = {}
        self._leads: dict[str, Lead] = {}

    def find(self, title: str) -> Lead | None:
        """The posting whose plain title is this one or the most like it."""
        if title in self._leads:
            return self._leads[title]
        digits, own = _digits(title), len(title)
        candidates = [
            other
            for length in range(own // 2, 2 * own)
            # What has to be put in or taken out at least; of another title of the same length one sign is both.
            if 100 * (1 - (abs(length - own) or 2) / (length + own)) >= ALIKE_TITLES
            for other in self._titles.get((digits, length), ())
        ]
        best = process.extractOne(title, candidates, scorer=fuzz.ratio, score_cutoff=ALIKE_TITLES)
        return self._leads[best[0]] if best else None

    def add(self, title: str, lead: Lead) -> None:
        """Let later rows be folded into a posting; of two with one title the first stays."""
        if title not in self._leads:
            self._leads[title] = lead
            self._titles.setdefault((_digits(title), len(title)), []).append(title)


def _digits(title: str) -> str:
    return "".join(sign for sign in title if sign.isdecimal())
