"""Postings for a whole village: the notice on the wall and the text for the loudspeaker. They count for nobody."""

from dataclasses import dataclass
from datetime import date, timedelta

from app.domain.announcements import Announced, write_announcement, write_notice
from app.domain.pay import Pay, PayUnit
from app.domain.postings import PostingState
from app.usecases.areas import AreaBook
from app.usecases.matchmaking import Matchmaker, SearchQuery
from app.usecases.postings import PostingCard

_OPEN_END = timedelta(days=14)  # what names no last day is announced for two weeks
_READ_AT_ONCE = 100
_BY_THE_DAY = ("日结", "当天", "当日")


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A posting as it is read out and as it is put on the wall."""

    posting_id: int
    spoken: str
    notice: str


def announce_near(
    matchmaker: Matchmaker, township: str, *, number: int, within_km: float, today: date
) -> list[Announcement]:
    """The nearest open postings around a township, each for the loudspeaker and for the wall.

    Args:
        matchmaker: searches.
        township: a code of a township or subdistrict.
        number: how many at most.
        within_km: how far.
        today: the day on which they are read.

    Raises:
        app.usecases.areas.AreaUnknown: the code leads to no place.
        app.usecases.areas.AreaSplit: several areas took it over.
    """
    query = SearchQuery(near=township, radius_km=within_km)
    page = matchmaker.search(query, page_size=_READ_AT_ONCE)
    cards = [found.card for found in page.items if found.card.state is PostingState.OPEN and found.card.openings > 0]
    return [_announcement(card, township, matchmaker.areas, today=today) for card in cards[:number]]


def _announcement(card: PostingCard, township: str, areas: AreaBook, *, today: date) -> Announcement:
    here = areas.find(township)
    posting = Announced(
        title=card.title,
        place=card.area_name,
        openings=card.openings,
        pay=card.pay or Pay(unit=PayUnit.NEGOTIABLE),
        ask_at=f"{here.name if here is not None else '乡镇'}便民服务中心",
        until=card.valid_until or today + _OPEN_END,
        hours=card.hours or None,
        is_day_paid=any(words in card.paid_when for words in _BY_THE_DAY),
    )
    return Announcement(posting_id=card.id, spoken=write_announcement(posting), notice=write_notice(posting))
