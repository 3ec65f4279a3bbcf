"""What is owed, told another way: day after day is lived through with plain dicts, as a clerk with paper would do it.

It shares nothing with `app.domain.obligations`, so that the two can be compared.

A registration: {"id", "worker", "opened", "closed"}. An event: {"id", "kind", "worker", "spell", "channel", "grade",
"at", "written", "names", "facts"}, instants without zone, in UTC. Settings: [(first day, {...}), ...].
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

Doc = dict[str, Any]
PACKAGE = ("briefing", "guidance", "push", "training")
ONE_DAY = timedelta(days=1)


def live_through(spell: Doc, events: list[Doc], settings: list[tuple[date, Doc]], now: datetime) -> Doc:
    today = day_of(now)
    # A day of closing that is still to come is not known to the clerk.
    closed = spell["closed"] if spell["closed"] and spell["closed"] <= today else None
    crossed_out = {
        event["names"]
        for event in events
        if event["kind"] == "strike" and event["at"] <= now and event["names"] and event["id"] > event["names"]
    }

    def fault(event: Doc, *, names_spell: bool = True) -> str:
        checks = [
            ("other_person", event["worker"] != spell["worker"]),
            ("other_spell", names_spell and event["spell"] != spell["id"]),
            ("struck", event["id"] in crossed_out),
            ("in_future", event["at"] > now),
            ("written_before_happened", event["written"] < event["at"]),
            ("before_spell", day_of(event["at"]) < spell["opened"]),
            ("after_spell", closed is not None and day_of(event["at"]) > closed),
            ("public_channel", event["channel"] in ("notice", "loudspeaker")),
        ]
        return next((code for code, is_so in checks if is_so), "")

    # Until the closing is put down the clerk takes the registration to be running.
    told_on = min(
        (
            day_of(event["written"])
            for event in events
            if event["kind"] == "spell_closed"
            and event["id"] not in crossed_out
            and (event["worker"], event["spell"]) == (spell["worker"], spell["id"])
        ),
        default=date.max,
    )
    debts: list[Doc] = []
    why_not: dict[int, str] = {}
    waiting: dict[int, str] = {}  # pushes that only the person's word makes count, with what is said until then
    holder: dict[int, Doc] = {}  # which paid debt names a push
    used_jobs: dict[str, Doc] = {}  # which paid debt a job has paid
    deeds: list[tuple[Doc, Doc]] = []  # what else has paid, and which debt: it does not pay again under another number
    confirmed: set[int] = set()  # the person has said that it came, if only "看到了"
    answered: set[int] = set()  # the person has said yes, no, or call me
    counts_since: dict[int, datetime] = {}  # of every push that is sound, whether or not it pays a debt
    started = False
    by_id = {event["id"]: event for event in events}

    def pay(event: Doc, grade: str, at: datetime) -> None:
        kind, day = event["kind"], day_of(at)
        if kind == "push":
            counts_since[event["id"]] = at
            again = [used_jobs[event["facts"]["job"]]] if event["facts"]["job"] in used_jobs else []
        else:
            again = [paid for deed, paid in deeds if is_told_twice(event, deed)]
        if again:
            why_not[event["id"]] = "same_job" if kind == "push" else "same_deed"
            # The first sheet stays; what proves the second proves the first, if it is of the same message or day.
            first = min(again, key=lambda paid: paid["turn"])
            other, number = by_id[first["id"]], event["facts"].get("push")
            if day_of(event["at"]) == day_of(other["at"]) or (
                number is not None and number == other["facts"].get("push")
            ):
                first["grade"] = min(first["grade"], grade)
                holder[event["id"]] = first
            return
        for debt in debts:
            if debt["kind"] == kind and len(debt["paid"]) < debt["owed"]:
                paid = {"id": event["id"], "grade": grade, "day": day, "turn": (debt["due"], len(debt["paid"]))}
                debt["paid"].append(paid)
                holder[event["id"]] = paid
                if kind == "push":
                    used_jobs[event["facts"]["job"]] = paid
                else:
                    deeds.append((event, paid))
                return
        why_not[event["id"]] = "surplus"

    def serve(event: Doc, day: date) -> None:
        if code := fault(event) or unfit(event, rules_on(settings, day)):
            why_not[event["id"]] = code
            return
        if event["kind"] != "push":
            if weak := unproven(event, rules_on(settings, day)):
                why_not[event["id"]] = weak
            else:
                pay(event, event["grade"], event["at"])
            return
        settle(event, event["at"])

    def settle(push: Doc, at: datetime) -> None:
        """Pay with a push as soon as all is there that it needs; until then it waits."""
        number, rules = push["id"], rules_on(settings, day_of(push["at"]))
        lacks = "" if number in confirmed else unproven(push, rules)
        if not lacks and rules["when"] == "answered" and number not in answered:
            lacks = "not_answered"
        if lacks:
            waiting[number] = lacks
            return
        waiting.pop(number, None)
        pay(push, "A" if number in confirmed else push["grade"], at)

    def answer(event: Doc) -> None:
        push = event["names"]
        if event["grade"] != "A" or fault(event, names_spell=False) or by_id.get(push, event)["kind"] != "push":
            return
        confirmed.add(push)
        if event["facts"].get("answer") in ("interested", "unsuitable", "call_me"):
            answered.add(push)
        if push in waiting:
            settle(by_id[push], event["at"])
        elif push in holder:
            holder[push]["grade"] = "A"

    def excuse(event: Doc, day: date) -> None:
        if fault(event):
            return
        rules = rules_on(settings, day)
        for debt in debts:
            if event["facts"].get("service") not in (None, debt["kind"]):
                continue
            if max(day, day_of(event["written"])) > debt["due"]:
                continue  # the clerk has it in the book as overdue already
            if event["kind"] == "refusal":
                debt["excused"] |= rules["refusal"]
            else:
                debt["tries"].append((day, event["channel"]))
                days = {tried for tried, _ in debt["tries"]}
                ways = {way for _, way in debt["tries"]}
                enough = len(days) >= rules["tries"] and len(ways) >= min(2, rules["tries"])
                debt["excused"] |= rules["contact"] and enough

    diary: dict[date, list[tuple[datetime, int, int, Doc]]] = {}
    for event in events:
        # An answer is about its push: at one instant it stands where the push stands, after it.
        subject, after = (event["names"] or 0, 1) if event["kind"] == "answer" else (event["id"], 0)
        diary.setdefault(day_of(event["at"]), []).append((event["at"], subject, after, event))

    for day in each_day(min([spell["opened"], *diary]), max([today, *diary])):
        if spell["opened"] <= day <= today and (closed is None or day <= max(closed, told_on)):
            rules = rules_on(settings, day)
            is_new_year = (day.month, day.day) == (1, 1) and day.year > spell["opened"].year
            if day == spell["opened"] or is_new_year:
                due = day + rules["first"] * ONE_DAY if day == spell["opened"] else deadline(day.year, rules)
                debts += [
                    {"kind": kind, "from": day, "due": due, "owed": owed, "paid": [], "excused": False, "tries": []}
                    for kind in PACKAGE
                    if (owed := rules["counts"].get(kind, 0) if day >= settings[0][0] else 0)
                ]
        for *_, event in sorted(diary.get(day, []), key=lambda entry: entry[:3]):
            if event["kind"] in PACKAGE:
                serve(event, day)
            elif event["kind"] == "answer":
                answer(event)
            elif event["kind"] in ("refusal", "attempt"):
                excuse(event, day)
            elif event["kind"] == "start":
                started = started or not (fault(event) or unproven(event, rules_on(settings, day)))

    # What was not overdue when the clerk was told of the closing, the closing ends; what had not begun never was.
    ended = [debt for debt in debts if closed and closed < debt["due"] and not debt["due"] < told_on]
    debts = [debt for debt in debts if debt not in ended or debt["from"] <= closed]
    soon = rules_on(settings, today)["soon"] * ONE_DAY
    for debt in debts:
        if len(debt["paid"]) == debt["owed"]:
            debt["state"] = "done"
        elif debt["excused"]:
            debt["state"] = "waived"
        elif debt in ended:
            debt["state"] = "lapsed"
        elif debt["due"] < today:
            debt["state"] = "overdue"
        else:
            debt["state"] = "due_soon" if debt["due"] - soon <= today else "open"
    return {
        "debts": [
            (
                *(debt["kind"], debt["from"], debt["due"], debt["owed"], debt["state"]),
                *((paid["id"], paid["grade"], paid["day"]) for paid in debt["paid"]),
            )
            for kind in PACKAGE
            for debt in debts
            if debt["kind"] == kind
        ],
        "why_not": {**why_not, **waiting},
        "headline": bool(counts_since.keys() & answered) and started,
        "resort": attempts(events, counts_since, fault, settings, today),
    }


def attempts(
    events: list[Doc], counts_since: dict[int, datetime], fault: Any, settings: list[tuple[date, Doc]], today: date
) -> tuple[int, int, tuple[str, ...]]:
    """Pushes that were answered or refused, of different jobs, and the days between the first and the last of them.

    Neither the pushes nor the answers may be of one day, nor may they be put down on one.
    """
    rules = rules_on(settings, today)
    reply_to: dict[int, Doc] = {}
    for event in sorted(events, key=lambda event: (event["at"], event["id"]), reverse=True):
        says = event["kind"] == "refusal" or (
            event["kind"] == "answer" and event["facts"].get("answer") in ("interested", "unsuitable", "call_me")
        )
        if says and not fault(event) and not unproven(event, rules_on(settings, day_of(event["at"]))):
            reply_to[event["names"]] = event  # the earliest comes last and stays
    firsts: dict[str, Doc] = {}
    for push in sorted(events, key=lambda push: (counts_since.get(push["id"], push["at"]), push["id"])):
        if push["id"] in counts_since and push["id"] in reply_to:
            firsts.setdefault(push["facts"]["job"], push)
    answers = [reply_to[push["id"]] for push in firsts.values()]

    def spread(which: str) -> int:
        both = ([day_of(event[which]) for event in part] for part in (firsts.values(), answers))
        return min((max(days) - min(days)).days if days else 0 for days in both)

    missing = []
    if len(firsts) < rules["resort"]:
        missing.append("pushes")
    if spread("at") < rules["span"]:
        missing.append("span")
    elif spread("written") < rules["span"]:
        missing.append("written_at_once")
    return len(firsts), spread("at"), tuple(missing)


def unfit(event: Doc, rules: Doc) -> str:
    """What is wrong with what an event tells, whatever proves it."""
    facts = event["facts"]
    match event["kind"]:
        case "briefing":
            return "" if facts.get("text") and facts.get("version") else "no_text"
        case "guidance":
            return talk(facts)
        case "training":
            return "" if facts.get("session") else "no_session"
    if not {"job", "is_open", "places", "bar", "skill_permille", "metres", "reach_metres"} <= facts.keys():
        return "incomplete"
    if not facts["is_open"]:
        return "not_open"
    if facts["places"] <= 0:
        return "no_places"
    if facts["bar"]:
        return "barred"
    if facts["reach_metres"] < facts["metres"]:
        return "too_far"
    return "" if facts["skill_permille"] > rules["skill"] else "not_fitting"


def unproven(event: Doc, rules: Doc) -> str:
    grade = event["grade"]
    if not grade or grade not in rules["grades"]:
        return "grade"
    if grade == "C":
        if event["channel"] not in ("call", "visit"):
            return "grade"
        if code := talk(event["facts"]):
            return code
    return ""


def talk(facts: Doc) -> str:
    if not facts.get("minutes"):
        return "no_minutes"
    return "" if facts.get("said") else "not_said"


def is_told_twice(event: Doc, deed: Doc) -> bool:
    """One sort of service at one instant, or on one day about the same: the clerk holds two sheets about one deed."""
    about = {"briefing": "text", "training": "session", "guidance": None}[event["kind"]]
    if event["kind"] != deed["kind"]:
        return False
    is_about_it = about is None or event["facts"].get(about) == deed["facts"].get(about)
    return bool(event["at"] == deed["at"] or (day_of(event["at"]) == day_of(deed["at"]) and is_about_it))


def rules_on(settings: list[tuple[date, Doc]], day: date) -> Doc:
    found = settings[0][1]
    for first_day, rules in settings:
        if first_day <= day:
            found = rules
    return found


def deadline(year: int, rules: Doc) -> date:
    month, day = (int(part) for part in rules["deadline"].split("-"))
    while True:
        try:
            return date(year, month, day)
        except ValueError:
            day -= 1


def day_of(instant: datetime) -> date:
    return (instant + timedelta(hours=8)).date()


def each_day(first: date, last: date) -> list[date]:
    return [first + days * ONE_DAY for days in range((last - first).days + 1)]
