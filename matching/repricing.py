"""Lists that send people to all postings, not all to the same few: a posting's price grows with its exposure.

Works on log-scores, so that a price is a factor on the score. In each round every person's list is what has the highest
log-score - price, and then

    price += rate * ln((exposure + 1) / (mean exposure + 1)) / sqrt(round)

At the last prices the lists are made once more. Then each posting that is in fewer than `floor` lists takes the place
in the list where that costs least, from a posting that is in more than `floor`. ReCon (Mashayekhi et al., RecSys 2023)
does this to a model while it learns; here the scores may come from anywhere.
"""

import math
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from matching.compiling import compiled
from matching.ranked_tables import NOTHING, RankedTable

Table: TypeAlias = sparse.csr_array | sparse.csr_matrix
Int32s: TypeAlias = NDArray[np.int32]
Int64s: TypeAlias = NDArray[np.int64]
Float32s: TypeAlias = NDArray[np.float32]
Float64s: TypeAlias = NDArray[np.float64]

UNSCORED_BELOW = 1.0


class _Market(NamedTuple):
    """The cells that may be listed, row by row in the order of their columns, and those that never may."""

    starts: Int64s
    columns: Int32s
    scores: Float32s
    logs: Float32s
    unscored: float
    barred_starts: Int64s
    barred_columns: Int32s


class _Lists(NamedTuple):
    """Columns (n, k) padded with -1 and their log-score - price, in how many lists each item is, its price."""

    chosen: Int32s
    nets: Float64s
    shown: Int64s
    prices: Float64s


def reprice(
    scores: ArrayLike | Table,
    k: int = 10,
    rate: float = 0.07,
    rounds: int = 6,
    floor: int = 1,
    exclude: Table | None = None,
    *,
    item_ids: ArrayLike | None = None,
) -> RankedTable:
    """Lists of k out of scores (n, m), each of the m items in at least `floor` of them wherever that can be done.

    `scores` is an array or a CSR. Positive scores compete. A score of zero or below, stored or not, says nothing: it
    stands at a log-score one below that of the least positive score, and comes in only for an item that no list of
    those who score it can take, first where a list has room left. What room is left after that is filled from an
    array's cells with what is shown least; a CSR tells candidates, so there a list stays short. `exclude`, a CSR
    (n, m): cells that are never listed. The lists stand in the order of log-score - price, equal ones by column; the
    table's scores are those given, 0 for what was not stored. Its ids are columns unless `item_ids` (m,) names them.
    The same input gives the same table.
    Raises ValueError for scores that are not finite, shapes that do not go together and settings that make no sense.
    """
    if k < 1 or rounds < 0 or floor < 0:
        raise ValueError(f"k from 1 on, rounds and floor from 0 on: {k}, {rounds}, {floor}")
    if not 0 <= rate < math.inf:
        raise ValueError(f"rate must be finite and not negative: {rate}")
    market, (people, items) = _market(scores, exclude)
    names = np.arange(items) if item_ids is None else np.asarray(item_ids, np.int64)
    if names.shape != (items,) or np.any(names == NOTHING):
        raise ValueError(f"item_ids name each of the {items} items, and none is {NOTHING}: {names.shape}")
    lists = _Lists(np.empty((people, k), np.int32), np.empty((people, k)), np.empty(items, np.int64), np.zeros(items))
    _fill(market, lists)
    for number in range(1, rounds + 1):
        shown = lists.shown
        lists.prices[:] += rate * np.log((shown + 1) / (shown.sum() / max(items, 1) + 1)) / math.sqrt(number)
        _fill(market, lists)
    short = np.flatnonzero(lists.shown < floor)
    if len(short):
        _lift(market, lists, floor, short, *_cells_of(market, short, items))
    if not sparse.issparse(scores):
        _fill_up(market, lists)
    order = np.lexsort((lists.chosen, -lists.nets), axis=1)
    chosen = np.take_along_axis(lists.chosen, order, axis=1)
    ids = np.append(names, NOTHING)[chosen]  # column -1 is the last
    return RankedTable(ids, _scores_at(market, chosen))


def _market(scores: ArrayLike | Table, exclude: Table | None) -> tuple[_Market, tuple[int, int]]:
    if sparse.issparse(scores):
        table = sparse.csr_array(scores).astype(np.float32)
        table.sum_duplicates()
        shape, values = table.shape, table.data
        starts, columns = table.indptr.astype(np.int64), table.indices.astype(np.int32)
    else:
        dense = np.asarray(scores, np.float32)
        if dense.ndim != 2:
            raise ValueError(f"scores must have the shape (people, items): {dense.shape}")
        shape, values = dense.shape, dense.ravel()
        starts = np.arange(shape[0] + 1, dtype=np.int64) * shape[1]
        columns = np.tile(np.arange(shape[1], dtype=np.int32), shape[0])
    if not np.all(np.isfinite(values)):
        raise ValueError("scores must be finite")
    if exclude is not None and exclude.shape != shape:
        raise ValueError(f"exclude must have the shape {shape}: {exclude.shape}")
    barred = sparse.csr_array(shape, dtype=bool) if exclude is None else sparse.csr_array(exclude).astype(bool)
    barred.sum_duplicates()
    barred.eliminate_zeros()
    barred_starts, barred_columns = barred.indptr.astype(np.int64), barred.indices.astype(np.int32)
    if barred.nnz:
        kept = _not_barred(starts, columns, barred_starts, barred_columns)
        starts = np.append(0, np.cumsum(kept))[starts]
        columns, values = columns[kept], values[kept]
    positive = values > 0
    least = np.min(values, where=positive, initial=np.inf) if positive.any() else 1.0
    unscored = np.float32(np.log(least) - UNSCORED_BELOW)
    logs = np.full(len(values), -np.inf, np.float32)  # what is not scored does not compete
    np.log(values, out=logs, where=positive)
    return _Market(starts, columns, values, logs, float(unscored), barred_starts, barred_columns), (shape[0], shape[1])


@compiled
def _not_barred(starts: Int64s, columns: Int32s, barred_starts: Int64s, barred_columns: Int32s) -> NDArray[np.bool_]:
    kept = np.ones(len(columns), np.bool_)
    for row in range(len(starts) - 1):
        at, end = barred_starts[row], barred_starts[row + 1]
        for cell in range(starts[row], starts[row + 1]):
            while at < end and barred_columns[at] < columns[cell]:
                at += 1
            if at < end and barred_columns[at] == columns[cell]:
                kept[cell] = False
    return kept


@compiled
def _cells_of(market: _Market, short: Int64s, items: int) -> tuple[Int64s, Int64s, Float32s]:
    """The scored cells of some items, item by item: where each one's begin, their rows, their log-scores."""
    number_of = np.full(items, -1, np.int64)
    for number in range(len(short)):
        number_of[short[number]] = number
    begins = np.zeros(len(short) + 1, np.int64)
    for cell in range(len(market.columns)):
        if number_of[market.columns[cell]] >= 0 and market.scores[cell] > 0:
            begins[number_of[market.columns[cell]] + 1] += 1
    begins = np.cumsum(begins)
    ends = begins[:-1].copy()
    rows, logs = np.empty(begins[-1], np.int64), np.empty(begins[-1], np.float32)
    for row in range(len(market.starts) - 1):
        for cell in range(market.starts[row], market.starts[row + 1]):
            number = number_of[market.columns[cell]]
            if number >= 0 and market.scores[cell] > 0:
                rows[ends[number]], logs[ends[number]] = row, market.logs[cell]
                ends[number] += 1
    return begins, rows, logs


@compiled
def _fill(market: _Market, lists: _Lists) -> None:
    """Write over the lists: each row's highest log - price, best first, equal ones by column."""
    chosen, nets, shown = lists.chosen, lists.nets, lists.shown
    columns, logs, prices = market.columns, market.logs, lists.prices
    k = chosen.shape[1]
    shown[:] = 0
    for row in range(len(chosen)):
        held = 0
        for cell in range(market.starts[row], market.starts[row + 1]):
            net = logs[cell] - prices[columns[cell]]
            if net == -np.inf or (held == k and net <= nets[row, k - 1]):
                continue
            at = held if held < k else k - 1
            while at > 0 and nets[row, at - 1] < net:
                nets[row, at] = nets[row, at - 1]
                chosen[row, at] = chosen[row, at - 1]
                at -= 1
            nets[row, at] = net
            chosen[row, at] = columns[cell]
            held = min(held + 1, k)
        for at in range(held):
            shown[chosen[row, at]] += 1
        nets[row, held:] = -np.inf
        chosen[row, held:] = -1


@compiled
def _cell_at(starts: Int64s, columns: Int32s, row: int, column: int) -> int:
    """Which cell of a row has this column; -1 if none does."""
    low, high = starts[row], starts[row + 1]
    while low < high:
        middle = (low + high) // 2
        if columns[middle] < column:
            low = middle + 1
        else:
            high = middle
    return low if low < starts[row + 1] and columns[low] == column else -1


@compiled
def _scores_at(market: _Market, chosen: Int32s) -> Float32s:
    found = np.zeros(chosen.shape, np.float32)
    for row in range(len(chosen)):
        for at in range(chosen.shape[1]):
            cell = _cell_at(market.starts, market.columns, row, chosen[row, at])
            if cell >= 0:
                found[row, at] = market.scores[cell]
    return found


@compiled
def _may_join(market: _Market, lists: _Lists, row: int, item: int) -> bool:
    """Whether an item is neither in a list yet nor kept from it."""
    for at in range(lists.chosen.shape[1]):
        if lists.chosen[row, at] == item:
            return False
    return _cell_at(market.barred_starts, market.barred_columns, row, item) < 0


@compiled
def _weakest(lists: _Lists, floor: int, row: int) -> int:
    """The place that a list gives up for the least, -1 if none: an empty one, else of what is in more than `floor`."""
    weakest = -1
    for at in range(lists.chosen.shape[1]):
        item = lists.chosen[row, at]
        if item < 0:
            return at
        if lists.shown[item] > floor and (weakest < 0 or lists.nets[row, at] <= lists.nets[row, weakest]):
            weakest = at
    return weakest


@compiled
def _give(lists: _Lists, floor: int, row: int) -> float:
    """What a list loses with its weakest place: -inf an empty one, inf if it can give up none."""
    at = _weakest(lists, floor, row)
    return np.inf if at < 0 else lists.nets[row, at]


@compiled
def _put(lists: _Lists, row: int, at: int, item: int, log: float) -> None:
    """Put an item in a list's place; what was there is in one list less."""
    if lists.chosen[row, at] >= 0:
        lists.shown[lists.chosen[row, at]] -= 1
    lists.chosen[row, at] = item
    lists.nets[row, at] = log - lists.prices[item]
    lists.shown[item] += 1


@compiled
def _lift(
    market: _Market, lists: _Lists, floor: int, short: Int64s, begins: Int64s, rows: Int64s, row_logs: Float32s
) -> None:
    """Bring each short item into `floor` lists: where it costs least, else by moving others on, else into fewer."""
    # While items are lifted, what a list gives up its weakest place for only grows: what comes in is never given up
    # again, and what is in too many lists gets fewer. So an old figure is a lower bound, renewed when it seems to win.
    gives = np.empty(len(lists.chosen))
    for row in range(len(gives)):
        gives[row] = _give(lists, floor, row)
    for number in range(len(short)):
        item = short[number]
        while lists.shown[item] < floor:
            row, log = _cheapest(market, lists, gives, item, rows, row_logs, begins[number], begins[number + 1])
            if row < 0:
                if _move_on(market, lists, floor, item):
                    continue
                break
            give = _give(lists, floor, row)
            if give == gives[row]:
                _put(lists, row, _weakest(lists, floor, row), item, log)
                give = _give(lists, floor, row)
            gives[row] = give


@compiled
def _cheapest(
    market: _Market,
    lists: _Lists,
    gives: Float64s,
    item: int,
    rows: Int64s,
    row_logs: Float32s,
    begin: int,
    end: int,
) -> tuple[int, float]:
    """The list that takes an item at the least cost, of those who score it, else of all; and its log-score there."""
    best, best_log, least = -1, market.unscored, np.inf
    for cell in range(begin, end):
        cost = gives[rows[cell]] - row_logs[cell]
        if cost < least and _may_join(market, lists, rows[cell], item):
            best, best_log, least = rows[cell], row_logs[cell], cost
    if best < 0:
        for row in range(len(gives)):
            if gives[row] < least and _may_join(market, lists, row, item):
                best, least = row, gives[row]
    return best, best_log


@compiled
def _move_on(market: _Market, lists: _Lists, floor: int, first: int) -> bool:
    """Place an item by moving others from list to list, by the shortest such chain; False if there is none.

    The chain is an augmenting path of the flow from items to places, so where none is found the item cannot be placed.
    """
    chosen = lists.chosen
    asks = np.full(len(chosen), -1, np.int64)  # the item that asks a list for a place
    leaves = np.full(len(lists.prices), -1, np.int64)  # the list that an item would leave
    queue = np.empty(len(lists.prices), np.int64)
    queue[0], done, waiting = first, 0, 1
    leaves[first] = len(chosen)
    while done < waiting:
        item = queue[done]
        done += 1
        for row in range(len(chosen)):
            if asks[row] >= 0 or not _may_join(market, lists, row, item):
                continue
            asks[row] = item
            at = _weakest(lists, floor, row)
            if at >= 0:
                _follow(market, lists, asks, leaves, row, at, first)
                return True
            for place in range(chosen.shape[1]):
                other = chosen[row, place]
                if leaves[other] < 0:
                    leaves[other] = row
                    queue[waiting] = other
                    waiting += 1
    return False


@compiled
def _follow(market: _Market, lists: _Lists, asks: Int64s, leaves: Int64s, row: int, at: int, first: int) -> None:
    """Go a chain back from its free place, each item moving into the place that the one before has left."""
    while True:
        item = asks[row]
        cell = _cell_at(market.starts, market.columns, row, item)
        log = max(market.logs[cell], market.unscored) if cell >= 0 else market.unscored
        _put(lists, row, at, item, log)
        if item == first:
            return
        row = leaves[item]
        at = 0
        while lists.chosen[row, at] != item:
            at += 1


@compiled
def _fill_up(market: _Market, lists: _Lists) -> None:
    """Fill the room that is left, list by list, with what may join and is shown least, equal ones by column."""
    items = len(lists.prices)
    for row in range(len(lists.chosen)):
        for at in range(lists.chosen.shape[1]):
            if lists.chosen[row, at] >= 0:
                continue
            least = -1
            for item in range(items):
                if (least < 0 or lists.shown[item] < lists.shown[least]) and _may_join(market, lists, row, item):
                    least = item
            if least < 0:
                break
            _put(lists, row, at, least, market.unscored)
