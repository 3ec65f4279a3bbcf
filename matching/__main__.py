"""Compile what the library compiles, so that the first who asks does not wait: `python -m matching`."""

from dataclasses import replace
from datetime import date

import numpy as np

from matching import MatchIndex, OccupationResolver, Opening, Place, Seeker, plan_all, reprice

if __name__ == "__main__":
    day, place = date(2026, 1, 1), Place(lon=106.55, lat=29.56)
    opening = Opening(id=1, title="保安", place=place, certificates=frozenset({"保安员证"}))
    index = MatchIndex.build([opening], today=day)
    index.add([replace(opening, id=2, certificates=frozenset())])
    seeker = Seeker(id=1, birth_date=day.replace(year=1976), places=(place,), skills_text="保安")
    index.rank(seeker)
    index.refusals(seeker, [1])
    index.refusal_counts(seeker)
    for floor in (0, 1):
        plan_all(index, [seeker], [1, 2], [1, 1], floor=floor)
    OccupationResolver.from_tables({"g": "保安员"}, []).resolve("保安")
    reprice(np.array([[0.5, 0.25]]), k=1)
