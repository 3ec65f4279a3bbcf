"""Once a day, early in the morning: spells, and the day's pushes planned and made; what sends them is another loop."""

import logging
from collections.abc import Callable, Sequence
from datetime import time
from pathlib import Path

from sqlalchemy.exc import IntegrityError

from app.background.loops import Loop
from app.domain.ledger import Channel
from app.kit.clock import CHINA
from app.kit.database import read_session, write_session
from app.usecases.matchmaking import Matchmaker
from app.usecases.plans import (
    INDEX_FILE,
    PUSHES_AT_ONCE,
    MadeReport,
    OnProgress,
    PlannedPush,
    PlanReport,
    day_of_plan,
    make_pushes,
    plan_pushes,
    read_people,
    read_plan,
)
from app.usecases.spells import sync_spells
from app.wiring import House, load_matchmaker

_LOG = logging.getLogger("jiujin.background")

EVERY_S = 60.0
NOT_BEFORE = time(6)  # what was posted yesterday is in, and nobody is woken: sending begins after the quiet hours
ACTOR = "plan"
_MADE_FILE = "made"


def plan_day(
    house: House,
    matchmaker: Matchmaker,
    *,
    folder: Path | None = None,
    scheduler: str | None = None,
    threads: int | None = None,
    on_progress: OnProgress = lambda *_: None,
) -> PlanReport:
    """Plan today's pushes for everybody, into the day's folder unless told otherwise.

    Raises:
        RulesMissing: the rules of what is owed are not complete.
        ClusterMissing: a `scheduler` was named and cannot be worked with.
        OSError: the folder cannot be written.
    """
    with read_session(house.engine) as session:
        people = read_people(session, matchmaker, now=house.clock.now())
    return plan_pushes(
        people,
        matchmaker,
        folder=folder or folder_of_today(house),
        today=house.clock.today(),
        keys=house.keys,
        scheduler=scheduler,
        threads=threads,
        on_progress=on_progress,
    )


def make_planned(
    house: House, folder: Path, *, limit: int | None = None, on_progress: OnProgress = lambda *_: None
) -> MadeReport:
    """Make the pushes of the plan in a folder, `limit` new ones at most, some hundred in a transaction.

    Stopped in the middle and called again, it goes on where it was; nothing is made twice.

    Raises:
        PlanMissing: there is no plan, or it is not as this version writes it.
    """
    day, planned = day_of_plan(folder, keys=house.keys), read_plan(folder, keys=house.keys)
    report, done = MadeReport(), 0
    on_progress(0, len(planned))
    while done < len(planned) and (limit is None or report.made < limit):
        room = PUSHES_AT_ONCE if limit is None else min(PUSHES_AT_ONCE, limit - report.made)
        some = planned[done : done + room]
        report += _make(house, some, made_for=day.isoformat())
        done += len(some)
        on_progress(done, len(planned))
    return report


def served_by(house: House) -> frozenset[Channel]:
    """The channels on which a machine of this house sends."""
    return frozenset(sender.channel for sender in house.senders if sender.channel.is_electronic)


def folder_of_today(house: House) -> Path:
    """Where the day's plan lies."""
    return house.settings.data / "plans" / house.clock.today().isoformat()


def _make(house: House, some: Sequence[PlannedPush], *, made_for: str) -> MadeReport:
    served = served_by(house)

    def make() -> MadeReport:
        with write_session(house.engine) as session:
            return make_pushes(session, some, made_for=made_for, served=served, now=house.clock.now(), keys=house.keys)

    try:
        return make()
    except IntegrityError:
        # Somebody else was just making the same; now they are known.
        return make()


def plan_if_due(house: House, load: Callable[[House], Matchmaker] = load_matchmaker) -> MadeReport | None:
    """Bring spells in line, plan and make the day's pushes, if it is time and not done yet; None if there was nothing.

    Raises:
        LookupError: the reference data has not been loaded.
    """
    folder = folder_of_today(house)
    if house.clock.now().astimezone(CHINA).time() < NOT_BEFORE or (folder / _MADE_FILE).exists():
        return None
    with write_session(house.engine) as session:
        # First of all: a status that ended yesterday closes its spell, one that begins today opens one.
        now = house.clock.now()
        changes = sync_spells(session, actor=ACTOR, on=house.clock.today(), now=now, keys=house.keys)
    _LOG.info("spells: %d opened, %d closed", len(changes.opened), len(changes.closed))
    plan = plan_day(house, load(house))
    made = make_planned(house, folder)
    (folder / _MADE_FILE).touch()
    for index in folder.parent.glob(f"*/{INDEX_FILE}"):
        # A finished plan needs none; a day's is as large as the market.
        if index.parent != folder:
            index.unlink(missing_ok=True)
    _LOG.info("planned %d pushes for %d people, made %d", plan.pushes, plan.served, made.made)
    return made


def plan_loop(house: House) -> Loop:
    """The loop that plans once a day after six in the morning."""
    return Loop("plan", EVERY_S, lambda: plan_if_due(house))
