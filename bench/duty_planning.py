"""A night's plan where some are owed pushes: owed first, as many as are missing, places kept; time and memory.

    uv run --group bench bench/duty_planning.py [--people 100000] [--postings 100000] [--rng-seed 1]

A tenth of the people are owed three postings, and get only what fits by the office's setting; each has one posting that
they are not to be sent again. Lists of the best thirty, three people to each vacancy. Whoever is owed three and gets
fewer is checked against a list of their own over the whole market: whatever it holds besides has no place left by the
end of their turn. One posting in twenty is another row of a job that is there already. Of the postings 15 % lie in
lanes for older workers, and 1 % are public-welfare posts, which one in a hundred of the owed has been granted.
"""

import argparse
import resource
import time
from datetime import timedelta

import numpy as np

from app.domain.workers import Priority
from app.usecases.plans import GRANTED_WORTH, LANE_WORTH, Kinds, Lifted, Person, share_out
from app.usecases.recipients import PlanRules, Recipient, Recipients
from bench.city import TODAY, make_city, make_people
from matching import MatchIndex

OWED_EACH = 10
ROWS_OF_ONE_JOB = 20
OWN_LIST = 200
GRANTED_EACH = 1000


def highest_gb() -> float:
    """The most memory the process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--postings", type=int, default=100_000)
    parser.add_argument("--rng-seed", type=int, default=1)
    asked = parser.parse_args()
    draws = np.random.default_rng(asked.rng_seed)
    city = make_city(draws, asked.postings)
    seekers = make_people(draws, city, asked.people)
    index = MatchIndex.build(city.openings, today=TODAY)
    ids, left = index.places_left()
    rules = PlanRules()
    jobs = {each: str(each - each % ROWS_OF_ONE_JOB // (ROWS_OF_ONE_JOB - 1)) for each in ids.tolist()}
    recipients = Recipients(rules=rules, known={}, jobs=jobs, held={}, taken={})
    rooms = (left * rules.people_per_place).astype(np.int64)
    dice = draws.random(len(ids))
    kinds = Kinds(Lifted(ids[dice < 0.15], LANE_WORTH), Lifted(ids[dice > 0.99], GRANTED_WORTH))
    lanes, welfare = set(kinds.lanes.ids.tolist()), set(kinds.welfare.ids.tolist())
    old_from = TODAY - timedelta(days=round(rules.older_worker_age * 365.25))
    first = index.rank_many(seekers, 1).ids[:, 0].tolist()
    persons = []
    for number, seeker in enumerate(seekers):
        is_owed = number % OWED_EACH == 0
        facts = Recipient(
            missing=3 * is_owed,
            postings={first[number]} - {-1} if is_owed else set(),
            is_granted=number % GRANTED_EACH == 0,
        )
        persons.append(
            Person(
                seeker=seeker,
                priority=Priority(seeker.priority),
                most=facts.most(rules),
                is_owed=is_owed,
                is_returning=False,
                is_older=seeker.birth_date <= old_from,
                facts=facts,
            )
        )
    print(f"{asked.people:,} people x {len(ids):,} postings, room for {rooms.sum():,}, {highest_gb():.2f} GB before")
    begun, begun_cpu = time.perf_counter(), time.process_time()
    shared = share_out(index, persons, ids, rooms, recipients, kinds)
    wall, spent = time.perf_counter() - begun, time.process_time() - begun_cpu
    owed = [number for number, person in enumerate(persons) if person.is_owed]
    loads = dict.fromkeys(ids.tolist(), 0)
    owed_loads = dict.fromkeys(ids.tolist(), 0)
    repeated = ungranted = 0
    for number, chosen in enumerate(shared.chosen):
        repeated += len({jobs[each] for each in chosen}) < len(chosen)
        repeated += bool({*chosen} & persons[number].facts.postings)
        ungranted += bool({*chosen} & welfare) and not persons[number].facts.is_granted
        for each in chosen:
            loads[each] += 1
            owed_loads[each] += persons[number].is_owed
    room = dict(zip(ids.tolist(), rooms.tolist(), strict=True))
    crowded = sum(load > room[each] for each, load in loads.items())
    unfit = missed = short = 0
    for number in owed:
        person, chosen = persons[number], shared.chosen[number]
        fitting = index.explain_many(person.seeker, chosen)
        unfit += sum(match.parts["skill"] * 1000 <= rules.fitting_skill_permille for match in fitting)
        unfit += len(chosen) - len(fitting)
        if len(chosen) < 3:
            short += 1
            had = {jobs[each] for each in chosen} | {jobs[each] for each in person.facts.postings if each in jobs}
            own = index.rank(person.seeker, OWN_LIST, skill_min=(rules.fitting_skill_permille + 1) / 1000)
            missed += any(
                owed_loads[match.opening_id] < room[match.opening_id] and jobs[match.opening_id] not in had
                for match in own
                if match.opening_id in room and (person.facts.is_granted or match.opening_id not in welfare)
            )
    granted = [number for number in owed if persons[number].facts.is_granted]
    of_older, of_others = (
        np.mean(
            [bool({*shared.chosen[number]} & lanes) for number, each in enumerate(persons) if each.is_older is older]
        )
        for older in (True, False)
    )
    others = [len(chosen) for number, chosen in enumerate(shared.chosen) if not persons[number].is_owed]
    print(f"  {len(owed):,} owed: {len(owed) - short:,} get three, {short:,} have fewer that fit and have room")
    print(f"  others: {np.mean(np.array(others) == 3):.1%} get three, {np.mean(np.array(others) > 0):.1%} get any")
    print(f"  of older workers {of_older:.1%} get one of a lane, of others {of_others:.1%}")
    served = sum(bool({*shared.chosen[number]} & welfare) for number in granted)
    print(f"  of {len(granted)} granted a public-welfare post {served} get one that fits and is in reach")
    print(f"  {wall:.1f} s, CPU {spent:.1f} s; gap {shared.gap:.3%}")
    print("asked / measured")
    print(f"  owed people who could have been given more: 0 / {missed}")
    print(f"  owed pushes that would not count: 0 / {unfit}")
    print(f"  postings sent to more people than they have room for: 0 / {crowded}")
    print(f"  people given something twice, one job twice, or what they had: 0 / {repeated}")
    print(f"  people given a public-welfare post without a decision: 0 / {ungranted}")
    print(f"  memory: < 2 GB / {highest_gb():.2f} GB")
