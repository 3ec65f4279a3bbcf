"""A posting as schema.org JobPosting, which search engines read out of its page.

Only for postings that are real and open: a sample of the past or a generated one must never be found as a vacancy.
"""

from typing import Any

from app.domain.areas import Precision
from app.domain.pay import PayUnit
from app.domain.postings import PostingKind, PostingOrigin, PostingState
from app.kit.clock import china_date
from app.usecases.postings import PostingCard

# https://schema.org/employmentType as search engines take it
_EMPLOYMENT_TYPES = {
    PostingKind.FULL_TIME: "FULL_TIME",
    PostingKind.PART_TIME: "PART_TIME",
    PostingKind.DAY_LABOUR: "PER_DIEM",
    PostingKind.SEASONAL: "TEMPORARY",
    PostingKind.WORK_RELIEF: "TEMPORARY",
    PostingKind.WORKSHOP: "OTHER",
    PostingKind.PUBLIC_WELFARE: "OTHER",
}
_UNIT_TEXTS = {PayUnit.MONTH: "MONTH", PayUnit.DAY: "DAY", PayUnit.HOUR: "HOUR", PayUnit.YEAR: "YEAR"}


def job_posting(card: PostingCard, *, url: str) -> dict[str, Any] | None:
    """The JobPosting document of a posting; None when it is not real or not open."""
    if card.state is not PostingState.OPEN or card.origin is PostingOrigin.GENERATED:
        return None
    document: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "JobPosting",
        "title": card.title,
        "description": "\n".join(text for text in (card.duties, card.conditions) if text) or card.title,
        "identifier": {"@type": "PropertyValue", "name": "就近", "value": str(card.id)},
        "url": url,
        "datePosted": china_date(card.posted_at).isoformat(),
        "employmentType": _EMPLOYMENT_TYPES[card.kind],
        "totalJobOpenings": card.openings,
        "jobLocation": _place(card),
    }
    if card.valid_until is not None:
        document["validThrough"] = f"{card.valid_until.isoformat()}T23:59:59+08:00"
    if card.employer_name:
        document["hiringOrganization"] = {"@type": "Organization", "name": card.employer_name}
    if card.occupation_name:
        document["occupationalCategory"] = card.occupation_name
    if card.hours:
        document["workHours"] = card.hours
    if salary := _salary(card):
        document["baseSalary"] = salary
    return document


def _place(card: PostingCard) -> dict[str, Any]:
    address = {"@type": "PostalAddress", "addressCountry": "CN", "addressRegion": "重庆市"}
    if not (card.area_code or "50").startswith("50"):
        del address["addressRegion"]
    if card.area_name:
        address["addressLocality"] = card.area_name
    if card.workplace:
        address["streetAddress"] = card.workplace
    place: dict[str, Any] = {"@type": "Place", "address": address}
    if card.precision is Precision.POINT and card.lon is not None and card.lat is not None:
        place["geo"] = {"@type": "GeoCoordinates", "longitude": card.lon, "latitude": card.lat}
    return place


def _salary(card: PostingCard) -> dict[str, Any] | None:
    pay = card.pay
    if pay is None or pay.unit not in _UNIT_TEXTS or (pay.low is None and pay.high is None):
        return None
    value: dict[str, Any] = {"@type": "QuantitativeValue", "unitText": _UNIT_TEXTS[pay.unit]}
    if pay.low is not None:
        value["minValue"] = float(pay.low)
    if pay.high is not None:
        value["maxValue"] = float(pay.high)
    return {"@type": "MonetaryAmount", "currency": "CNY", "value": value}
