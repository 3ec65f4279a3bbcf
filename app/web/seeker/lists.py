"""The address of a list of postings: which place and words, which filters, how many rows; read, checked, written back.

Place and words stand in the address only where somebody put them there (`/jobs?near=…&q=…` is a fixed interface); a
list made from the cookie has an address that says nothing about the person.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode, urlsplit

from app.domain.areas import is_area_code
from app.domain.postings import PostingKind
from app.kit.errors import Fault, FieldFault, Invalid
from app.web.answers import LONGEST_WORDS, clean_words, one_line

PAGE_SIZE = 20
MOST_SHOWN = 100
CHOICES_KM = (5, 10, 30, 600)
"""Distances to choose from; the last one spans the city from end to end."""
CITY_KM = CHOICES_KM[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """What the address of a list says. `near` and `words` are None where they come from the cookie.

    `kept` is False where an answer led here that the phone did not keep.
    """

    near: str | None = None
    words: str | None = None
    kind: PostingKind | None = None
    km: int | None = None
    older: bool = False
    shown: int = PAGE_SIZE
    kept: bool = True

    def address(self) -> str:
        """The address that `read_list_query` reads back."""
        query = urlencode(self.given())
        return f"/jobs?{query}" if query else "/jobs"

    def given(self) -> list[tuple[str, str]]:
        """Names and values of the parameters that are set, in the order in which an address holds them."""
        parameters = {
            "near": self.near,
            "q": self.words,
            "kind": self.kind,
            "km": self.km,
            "older": "1" if self.older else None,
            "show": self.shown if self.shown != PAGE_SIZE else None,
            "kept": None if self.kept else "0",
        }
        return [(name, str(value)) for name, value in parameters.items() if value is not None]

    def with_near(self, near: str) -> "ListQuery":
        """The same list around another place, from its top."""
        return replace(self, near=near, shown=PAGE_SIZE)

    def without_filters(self) -> "ListQuery":
        """The same place and words without a filter, from the top."""
        return ListQuery(near=self.near, words=self.words, kept=self.kept)

    def with_kind(self, kind: PostingKind | None) -> "ListQuery":
        """The same list of one kind of work, from its top."""
        return replace(self, kind=kind, shown=PAGE_SIZE)

    def with_km(self, km: int | None) -> "ListQuery":
        """The same list within a distance, from its top."""
        return replace(self, km=km, shown=PAGE_SIZE)

    def with_older(self, *, older: bool) -> "ListQuery":
        """The same list with or without what is no lane for older workers, from its top."""
        return replace(self, older=older, shown=PAGE_SIZE)

    def with_words(self, words: str) -> "ListQuery":
        """The same list for other words, from its top."""
        return replace(self, words=words, shown=PAGE_SIZE)

    def longer(self) -> "ListQuery":
        """The same list with twenty rows more."""
        return replace(self, shown=min(self.shown + PAGE_SIZE, MOST_SHOWN))

    @property
    def is_filtered(self) -> bool:
        """Whether a filter keeps something off the list."""
        return self.kind is not None or self.km is not None or self.older


def read_list_query(query: Mapping[str, str]) -> ListQuery:
    """The query part of a list's address, checked.

    Raises:
        Invalid: says every parameter that cannot be used.
    """
    faults = []
    near, words = query.get("near") or None, query.get("q")
    if near is not None and not is_area_code(near):
        faults.append(FieldFault("near", "area_unknown", "地方要写六位的区县代码或九位的乡镇街道代码"))
    if words is not None and len(one_line(words)) > LONGEST_WORDS:
        faults.append(FieldFault("q", "too_long", f"找什么活写短一点，{LONGEST_WORDS}个字以内"))
    kind = query.get("kind") or None
    if kind is not None and kind not in set(PostingKind):
        faults.append(FieldFault("kind", "unknown", "没有这种用工方式，请点页面上的筛选"))
    km = query.get("km") or None
    if km is not None and km not in {str(choice) for choice in CHOICES_KM}:
        faults.append(FieldFault("km", "unknown", "没有这个距离，请点页面上的筛选"))
    shown = query.get("show") or str(PAGE_SIZE)
    if shown not in {str(number) for number in range(PAGE_SIZE, MOST_SHOWN + 1, PAGE_SIZE)}:
        faults.append(FieldFault("show", "unknown", f"一页最多看{MOST_SHOWN}个"))
    if faults:
        raise Invalid(fields=faults)
    return ListQuery(
        near=near,
        words=None if words is None else clean_words(words),
        kind=PostingKind(kind) if kind else None,
        km=int(km) if km else None,
        older=query.get("older") == "1",
        shown=int(shown),
        kept=query.get("kept") != "0",
    )


def list_query_in(address: str) -> ListQuery:
    """What an address asks for if it is a list's; else the list of the cookie."""
    try:
        parts = urlsplit(address)
        return read_list_query(dict(parse_qsl(parts.query))) if parts.path == "/jobs" else ListQuery()
    except (Fault, ValueError):
        return ListQuery()
