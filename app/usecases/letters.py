"""Pushes in words: which agreed text a channel gets, and what fills it."""

from functools import lru_cache

from app.domain.announcements import spell_numbers
from app.domain.ledger import Channel
from app.domain.pay import Pay
from app.domain.segments import count_units
from app.domain.templates import (
    PUSH_INBOX,
    PUSH_TEXT,
    PUSH_VOICE,
    PUSH_WECHAT,
    Template,
    TemplateRefused,
    push_by_link,
    short_pay,
)
from app.store.postings import Posting
from app.store.pushes import Push
from app.usecases.areas import AreaBook
from app.usecases.pushes import Letter

_NO_PAY = "工资面议"


class LetterWriter:
    """Words pushes for people; it knows the areas by name."""

    def __init__(self, areas: AreaBook) -> None:
        self._areas = areas

    def compose(self, push: Push, posting: Posting, channel: Channel, link: str) -> Letter:
        """A push as it is read on a channel. Nothing in it tells who it is for."""
        if channel is Channel.SMS:
            # A phone knows an address without its scheme, and the eight signs are the job's title.
            link = link.partition("://")[2]
        template = _text_with(count_units(link)) if channel is Channel.SMS else _TEMPLATES[channel]
        pay = None
        if posting.pay_unit is not None:
            pay = Pay(unit=posting.pay_unit, low=posting.pay_low, high=posting.pay_high, months=posting.pay_months)
        told_pay = _NO_PAY if pay is None else short_pay(pay) if channel is Channel.SMS else pay.told()
        values = {
            "title": posting.title,
            "place": self._place(posting.area_code),
            "km": _km(int(push.match.get("metres", 0))),
            "pay": told_pay,
            "link": link,
        }
        if channel is Channel.VOICE:
            values = {name: spell_numbers(value) for name, value in values.items()}
        fitted = template.fitted({name: values[name] for name in template.longest})
        return Letter(template=template.name, values=fitted, text=template.text.format_map(fitted))

    def _place(self, code: str | None) -> str:
        """The nearest that a place is called: its township, else its district."""
        fact = self._areas.find(code) if code else None
        return "重庆" if fact is None else fact.name


_TEMPLATES = {Channel.WECHAT: PUSH_WECHAT, Channel.INBOX: PUSH_INBOX, Channel.VOICE: PUSH_VOICE}


@lru_cache(maxsize=16)
def _text_with(link_units: int) -> Template:
    """The text message with its link, or without where the link leaves no room for the job."""
    try:
        return push_by_link(link_units)
    except TemplateRefused:
        return PUSH_TEXT


def _km(metres: int) -> str:
    """Kilometres in three signs at most: 0.4, 2.3, 12, 120."""
    km = metres / 1000
    return f"{km:.1f}" if km < 9.95 else f"{min(round(km), 999)}"
