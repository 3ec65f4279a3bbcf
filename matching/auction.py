"""The auction behind `matching.allocation`, compiled. Single-threaded; every call has scratch of its own.

People stand in rows. A row holds positions of openings, `at` (n, k) int32, worth most first and padded with -1, and
`worth` (n, k) float32 of the same. Prices are in the unit of worth. A person's t-th posting is worth `bonus[t]` more
than its score says; the bonuses do not increase, so slots are filled from the first on.

An opening pays `reserve` for each of its first `floors` people and nothing for the others. So its price starts at
-reserve, is at most 0 while it has places left, and is the lowest bid that it has accepted once it is full.
"""

# The types of compiled functions are those of their arguments at the call, told in the docstrings.

from typing import Any

import numpy as np

from matching.compiling import compiled

FINE, BAD_ENTRY, UNKNOWN_ID, TWICE = 0, 1, 2, 3
"""What `arrange` found: nothing amiss; no id or no finite score; an id that no opening bears; one twice in a row."""


@compiled
def key_rows(ids: Any, scores: Any, bits: Any) -> Any:
    """Two keys for each row of `ids` and `scores` (n, k), `bits` being those of the scores as uint32.

    The first (n,) int64 is the id with the highest score, -1 without any; the second (n,) uint64 is a hash of the
    whole row. The order of the entries changes neither. Equal rows have equal keys, others hardly ever. People whose
    first choice is the same come near each other by them, which saves the auction many a cache miss.
    """
    n, k = ids.shape
    leaders = np.full(n, -1, np.int64)
    hashes = np.zeros(n, np.uint64)
    for i in range(n):
        total = np.uint64(0)
        highest = np.float32(0)
        for c in range(k):
            each, score = ids[i, c], scores[i, c]
            if each == -1:
                continue
            if leaders[i] < 0 or score > highest or (score == highest and each < leaders[i]):
                leaders[i], highest = each, score
            mixed = np.uint64(each) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= np.uint64(bits[i, c]) * np.uint64(0xC2B2AE3D27D4EB4F)
            mixed ^= mixed >> np.uint64(29)
            mixed *= np.uint64(0xBF58476D1CE4E5B9)
            total += mixed ^ (mixed >> np.uint64(32))
        hashes[i] = total
    return leaders, hashes


@compiled
def arrange(ids: Any, scores: Any, order: Any, known: Any, at: Any, worth: Any) -> Any:
    """Fill `at` and `worth` with the rows in `order`, each worth most first, ties by id.

    `known` (m,) int64 are the openings' ids, rising; a position is one in it. Returns (FINE, -1) or what is wrong with
    which row of `ids`.
    """
    n, k = at.shape
    m = len(known)
    size = 16
    while size < 2 * m:
        size *= 2
    cover = np.uint64(size - 1)
    names = np.full(size, -1, np.int64)
    positions = np.empty(size, np.int32)
    for j in range(m):
        spot = (np.uint64(known[j]) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(20)) & cover
        while names[spot] >= 0:
            spot = (spot + np.uint64(1)) & cover
        names[spot], positions[spot] = known[j], j
    last_row = np.full(m, -1, np.int32)
    found = np.empty(k, np.int32)
    for r in range(n):
        i = order[r]
        # Looking up first and sorting afterwards lets the look-ups of a row overlap.
        for c in range(k):
            each = ids[i, c]
            found[c] = -1
            if each == -1:
                continue
            if each < 0 or not np.isfinite(scores[i, c]):
                return BAD_ENTRY, i
            spot = (np.uint64(each) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(20)) & cover
            while names[spot] != each:
                if names[spot] < 0:
                    return UNKNOWN_ID, i
                spot = (spot + np.uint64(1)) & cover
            found[c] = positions[spot]
        filled = 0
        for c in range(k):
            j, score = found[c], scores[i, c]
            if j < 0:
                continue
            if last_row[j] == r:
                return TWICE, i
            last_row[j] = r
            here = filled
            while here > 0 and (worth[r, here - 1] < score or (worth[r, here - 1] == score and at[r, here - 1] > j)):
                worth[r, here], at[r, here] = worth[r, here - 1], at[r, here - 1]
                here -= 1
            worth[r, here], at[r, here] = score, j
            filled += 1
        worth[r, filled:] = 0
        at[r, filled:] = -1
    return FINE, -1


@compiled
def count_takers(at: Any, m: Any) -> Any:
    """How many rows list each of m openings: (m,) int64."""
    takers = np.zeros(m, np.int64)
    for i in range(at.shape[0]):
        for j in at[i]:
            if j < 0:
                break
            takers[j] += 1
    return takers


@compiled
def _sink(bids: Any, holders: Any, root: Any, size: Any, bid: Any, holder: Any) -> Any:
    """Put a bid in the place of the lowest of a heap of `size` entries, which stands at its root."""
    here = 0
    while True:
        child = 2 * here + 1
        if child >= size:
            break
        if child + 1 < size and bids[root + child + 1] < bids[root + child]:
            child += 1
        if bids[root + child] >= bid:
            break
        bids[root + here], holders[root + here] = bids[root + child], holders[root + child]
        here = child
    bids[root + here], holders[root + here] = bid, holder


@compiled
def _push(bids: Any, holders: Any, root: Any, size: Any, bid: Any, holder: Any) -> Any:
    """Add a bid to a heap of `size` entries."""
    here = size
    while here > 0:
        parent = (here - 1) // 2
        if bids[root + parent] <= bid:
            break
        bids[root + here], holders[root + here] = bids[root + parent], holders[root + parent]
        here = parent
    bids[root + here], holders[root + here] = bid, holder


@compiled
def auction(at: Any, worth: Any, caps: Any, floors: Any, takers: Any, bonus: Any, step: Any, reserve: Any) -> Any:
    """Let everybody bid until nobody is short of a posting that they would pay for.

    `caps`, `floors`, `takers` (m,) int64, floors <= caps; `bonus` (per_seeker,) float64. Whoever is short bids for all
    their empty slots at once, each bid up to where the next best posting, or an empty slot, would be as good, and
    `step` above the former. Returns `held` (n,) uint64, the bit set of the columns that each person got, `price` (m,)
    float64, infinite where there is no place, and `load` (m,) int64. Each person's postings are within `step` a piece
    of the best that they could have at these prices.
    """
    n, k = at.shape
    m = len(caps)
    per_seeker = len(bonus)
    root = np.zeros(m + 1, np.int64)
    for j in range(m):
        root[j + 1] = root[j] + min(caps[j], takers[j])
    bids = np.empty(root[m], np.float64)
    holders = np.empty(root[m], np.int64)  # row * 64 + column
    load = np.zeros(m, np.int64)
    price = np.zeros(m, np.float64)
    for j in range(m):
        if caps[j] == 0:
            price[j] = np.inf
        elif floors[j] > 0:
            price[j] = -reserve
    held = np.zeros(n, np.uint64)
    count = np.zeros(n, np.uint8)
    waits = np.ones(n, np.bool_)
    queue = np.arange(n).astype(np.int32)
    first, waiting = 0, n
    best = np.empty(per_seeker + 1, np.float64)
    which = np.empty(per_seeker + 1, np.int64)
    one = np.uint64(1)
    while waiting > 0:
        i = np.int64(queue[first])
        first = first + 1 if first + 1 < n else 0
        waiting -= 1
        waits[i] = False
        has = np.int64(count[i])
        short = per_seeker - has
        found = 0
        for c in range(k):
            j = at[i, c]
            if j < 0:
                break
            value = np.float64(worth[i, c])
            if found > short and value + reserve <= best[short]:
                break
            if held[i] >> np.uint64(c) & one:
                continue
            net = value - price[j]
            if found > short:
                if net <= best[short]:
                    continue
            else:
                found += 1
            here = found - 1
            while here > 0 and best[here - 1] < net:
                best[here], which[here] = best[here - 1], which[here - 1]
                here -= 1
            best[here], which[here] = net, c
        take = 0
        while take < short and take < found and best[take] + bonus[has + take] > 0:
            take += 1
        if take == 0:
            continue
        otherwise = -bonus[has + take - 1]
        if take < found:
            otherwise = max(otherwise, best[take] - step)
        for t in range(take):
            c = which[t]
            j = at[i, c]
            bid = np.float64(worth[i, c]) - otherwise
            if bid <= price[j]:
                continue  # only where the difference is lost in rounding
            if load[j] == caps[j] or (load[j] == floors[j] > 0 and bids[root[j]] < 0):
                out = holders[root[j]] >> 6
                held[out] ^= one << np.uint64(holders[root[j]] & 63)
                count[out] -= 1
                if not waits[out]:
                    waits[out] = True
                    spot = first + waiting
                    queue[spot if spot < n else spot - n] = out
                    waiting += 1
                _sink(bids, holders, root[j], load[j], bid, 64 * i + c)
            else:
                _push(bids, holders, root[j], load[j], bid, 64 * i + c)
                load[j] += 1
            held[i] |= one << np.uint64(c)
            count[i] += 1
            if load[j] == caps[j]:
                price[j] = bids[root[j]]
            elif load[j] == floors[j]:
                price[j] = min(0.0, bids[root[j]])
            elif load[j] > floors[j]:
                price[j] = 0.0
    return held, price, load


@compiled
def carry_floors(at: Any, floors: Any, takers: Any, firsts: Any, per_seeker: Any) -> Any:
    """Who could bring as many openings as possible up to their floors, so that the later class carries what it can.

    `firsts` (classes + 1,) int64: the row at which each class begins, and the end. Returns (classes, m) int64: how
    many people of each class an opening takes for its floor. Augmenting paths from openings to people with an empty
    slot, first among the last class, then with each class before it too.
    """
    n, m = at.shape[0], len(floors)
    start = np.zeros(m + 1, np.int64)
    start[1:] = np.cumsum(takers)
    listed = np.empty(start[m], np.int32)
    ends = start[:-1].copy()
    for i in range(n):
        for j in at[i]:
            if j < 0:
                break
            listed[ends[j]] = i
            ends[j] += 1
    sits = np.full((n, per_seeker), -1, np.int32)
    met = np.zeros(m, np.int64)
    queue = np.empty(m, np.int32)
    trail = np.empty(n, np.int32)
    asked_by = np.empty(n, np.int32)
    given_by = np.empty(m, np.int32)
    for turn in range(len(firsts) - 2, -1, -1):
        seen_row = np.zeros(n, np.bool_)
        seen = np.zeros(m, np.bool_)
        for goal in range(m):
            # What a vain search has seen stays seen: no path leads out of it, now or later.
            while met[goal] < floors[goal] and not seen[goal]:
                queue[0] = goal
                seen[goal] = True
                head, tail, rows, free = 0, 1, 0, -1
                while head < tail and free < 0:
                    j = queue[head]
                    head += 1
                    for place in range(start[j + 1] - 1, start[j] - 1, -1):
                        i = listed[place]
                        if i < firsts[turn]:
                            break
                        if seen_row[i]:
                            continue
                        sits_here, has_room = False, False
                        for each in sits[i]:
                            sits_here |= each == j
                            has_room |= each < 0
                        if sits_here:
                            continue
                        seen_row[i] = True
                        trail[rows] = i
                        rows += 1
                        asked_by[i] = j
                        if has_room:
                            free = i
                            break
                        for each in sits[i]:
                            if not seen[each]:
                                seen[each] = True
                                given_by[each] = i
                                queue[tail] = each
                                tail += 1
                if free < 0:
                    break
                met[goal] += 1
                i = free
                while True:
                    j = asked_by[i]
                    _replace(sits[i], -1, j)
                    if j == goal:
                        break
                    i = given_by[j]
                    _replace(sits[i], j, -1)
                for place in range(tail):
                    seen[queue[place]] = False
                for place in range(rows):
                    seen_row[trail[place]] = False
    carried = np.zeros((len(firsts) - 1, m), np.int64)
    for turn in range(len(firsts) - 1):
        for i in range(firsts[turn], firsts[turn + 1]):
            for j in sits[i]:
                if j >= 0:
                    carried[turn, j] += 1
    return carried


@compiled
def _replace(values: Any, old: Any, new: Any) -> Any:
    """Put a value in the place of the first that equals `old`."""
    for place in range(len(values)):
        if values[place] == old:
            values[place] = new
            return


@compiled
def most_worth(at: Any, worth: Any, price: Any, bonus: Any) -> Any:
    """What people would get at these prices if each had the postings that suit them best, summed over all of them."""
    n, k = at.shape
    per_seeker = len(bonus)
    lowest = 0.0
    for j in range(len(price)):
        lowest = min(lowest, price[j])
    best = np.empty(per_seeker, np.float64)
    total = 0.0
    for i in range(n):
        found = 0
        for c in range(k):
            j = at[i, c]
            if j < 0:
                break
            value = np.float64(worth[i, c])
            if found == per_seeker and value - lowest <= best[found - 1]:
                break
            net = value - price[j]
            if found == per_seeker:
                if net <= best[found - 1]:
                    continue
            else:
                found += 1
            here = found - 1
            while here > 0 and best[here - 1] < net:
                best[here] = best[here - 1]
                here -= 1
            best[here] = net
        for t in range(found):
            total += max(0.0, best[t] + bonus[t])
    return total


@compiled
def worth_of(worth: Any, held: Any, bonus: Any) -> Any:
    """The scores of what people hold, and their bonuses: two sums."""
    n, k = worth.shape
    scores, bonuses = 0.0, 0.0
    for i in range(n):
        count = 0
        for c in range(k):
            if held[i] >> np.uint64(c) & np.uint64(1):
                scores += worth[i, c]
                bonuses += bonus[count]
                count += 1
    return scores, bonuses


@compiled
def write_chosen(at: Any, worth: Any, held: Any, known: Any, order: Any, chosen: Any, scores: Any) -> Any:
    """Write the ids and scores of what people hold, worth most first, into the rows of `chosen` and `scores`."""
    n, k = at.shape
    for r in range(n):
        count = 0
        for c in range(k):
            if held[r] >> np.uint64(c) & np.uint64(1):
                chosen[order[r], count] = known[at[r, c]]
                scores[order[r], count] = worth[r, c]
                count += 1
