"""Kiosks at stations (驿站终端): how long a device key is good, and how often a device may let somebody in.

A kiosk is the door of those whom no phone reaches, so nothing that shuts a phone out shuts a person out here.
"""

from datetime import timedelta
from enum import StrEnum

from app.domain.tries import Limit

KEY_GOOD_FOR = timedelta(days=365)

_HOUR = timedelta(hours=1)
A_KIOSKS_SESSIONS = Limit(name="kiosk_sessions", most=120, within=_HOUR)
"""Two a minute: more people do not stand before one screen."""
A_KIOSKS_WRONG_CARDS = Limit(name="kiosk_wrong_cards", most=30, within=_HOUR)
"""A card that fits nobody is mostly somebody's who is not on record; many of them are somebody trying numbers."""

LONG_TERM = "长期"
"""What a card of somebody of 46 or older says in place of its last day (居民身份证法, article 5)."""


class CardFault(StrEnum):
    """Why a card lets nobody in. Goes into the audit in place of what the card says."""

    NUMBER = "card_number_wrong"
    BIRTHDAY = "card_birthday_wrong"
    SEX = "card_sex_wrong"
    EXPIRED = "card_expired"
    UNKNOWN = "person_unknown"
