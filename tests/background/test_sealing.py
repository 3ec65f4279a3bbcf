"""Words of reports that were written before there was a seal are sealed, all of them and once."""

import pytest
from sqlalchemy import select

from app.background.sealing import REPORTS_AT_ONCE, sealing_loop
from app.domain.postings import ReportOutcome, ReportReason
from app.kit.database import read_session, write_session
from app.store.postings import PostingReport
from app.usecases.postings import report_posting
from app.wiring import House
from tests.houses import add_posting


def reports(house: House) -> list[tuple[str, str | None]]:
    with read_session(house.engine) as session:
        return [
            (report.words, report.sealed_words)
            for report in session.scalars(select(PostingReport).order_by(PostingReport.id))
        ]


def add_plain_report(house: House, posting_id: int, words: str) -> str:
    """A report as the version before stored it; its code."""
    code = report(house, posting_id, "")
    with write_session(house.engine) as session:
        session.scalars(select(PostingReport).where(PostingReport.code == code)).one().words = words
    return code


def report(house: House, posting_id: int, words: str, *, address: str = "10.0.0.1") -> str:
    with write_session(house.engine) as session:
        return report_posting(
            session,
            posting_id,
            reason=ReportReason.FEES,
            words=words,
            keys=house.keys,
            reporter=house.reporter(address),
            today=house.clock.today(),
            now=house.clock.now(),
        ).code


def test_words_of_before_the_seal_are_sealed_and_still_known(house: House) -> None:
    posting_id = add_posting(house)
    code = add_plain_report(house, posting_id, "王某某收了押金")
    # Before they are sealed and after, the same complaint once more is the first one.
    assert report(house, posting_id, "王某某收了押金") == code
    loop = sealing_loop(house)
    loop.step()
    ((plain, sealed),) = reports(house)
    assert plain == ""
    assert sealed is not None
    assert "王某某" not in sealed
    assert report(house, posting_id, "王某某收了押金") == code
    loop.step()
    assert reports(house) == [(plain, sealed)]


def test_nothing_was_written_nothing_is_sealed(house: House) -> None:
    report(house, add_posting(house), "")
    sealing_loop(house).step()
    assert reports(house) == [("", None)]


@pytest.mark.parametrize("number", [REPORTS_AT_ONCE, REPORTS_AT_ONCE + 1])
def test_more_reports_than_fit_into_one_transaction_are_all_sealed(house: House, number: int) -> None:
    posting_id = add_posting(house)
    with write_session(house.engine) as session:
        session.add_all(
            PostingReport(
                code=f"C{position}",
                posting_id=posting_id,
                reason=ReportReason.OTHER,
                words="收押金",
                reporter_hash=f"{position}",
                outcome=ReportOutcome.WAITING,
                reported_at=house.clock.now(),
            )
            for position in range(number)
        )
    sealing_loop(house).step()
    assert [plain for plain, _ in reports(house)] == [""] * number
    assert all(sealed for _, sealed in reports(house))
