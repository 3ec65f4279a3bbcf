"""What an office has set about sending, as of a day."""

from datetime import date, time

from sqlalchemy.orm import Session

from app.domain.sending import SendRules
from app.store.policies import find_setting


def load_send_rules(session: Session, *, on: date) -> SendRules:
    """The quiet hours and the weekly cap that hold on a day; what no office has set is as `SendRules` has it."""
    found = {name: find_setting(session, f"push_{name}", on=on) for name in ("quiet_from", "quiet_until", "weekly_cap")}
    given = {
        name: int(setting.value) if name == "weekly_cap" else time.fromisoformat(setting.value)
        for name, setting in found.items()
        if setting is not None
    }
    return SendRules(**given)  # type: ignore[arg-type]  # a number for the cap, times of day for the hours
