"""How well lists did, and for whom: recall and nDCG, spread over the postings, gaps between groups of people.

`ranked` is a RankedTable or its ids (n, k), padded with -1. `truth` tells what each of the n people did turn to: a CSR
(n, items) whose columns are the ids and whose positive entries count, or n collections of ids (-1 is none). People
without a truth are left out of recall and nDCG. `items` is how many postings there were, or their ids. With no person,
no filled place or no posting to speak of, a measure is NaN.

Congestion and coverage as in Mashayekhi et al., ReCon, RecSys 2023.
"""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from matching.ranked_tables import NOTHING, RankedTable

Floats: TypeAlias = NDArray[np.float64]
Ids: TypeAlias = NDArray[np.int64]
Ranked: TypeAlias = RankedTable | NDArray[np.int64]
Truth: TypeAlias = sparse.csr_array | sparse.csr_matrix | Sequence[Collection[int]]
Items: TypeAlias = int | NDArray[np.int64]

SMALL_GROUP = 20
RESAMPLES = 1000
LEVEL = 0.95


def recall(ranked: Ranked, truth: Truth) -> float:
    """Mean over people of the share of their truth that stands in their list."""
    return _mean(recall_each(ranked, truth))


def recall_each(ranked: Ranked, truth: Truth) -> Floats:
    """Share of each person's truth that stands in their list, shape (n,); NaN without a truth."""
    hits, sizes = _hits(_ids_of(ranked), truth)
    return _share(hits.sum(axis=1), sizes)


def ndcg(ranked: Ranked, truth: Truth) -> float:
    """Mean over people of nDCG at k with gains of 0 and 1; the best list holds min(k, truth) hits at its head."""
    return _mean(ndcg_each(ranked, truth))


def ndcg_each(ranked: Ranked, truth: Truth) -> Floats:
    """NDCG of each list, shape (n,); NaN without a truth."""
    hits, sizes = _hits(_ids_of(ranked), truth)
    discounts = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    best = np.concatenate([[0.0], np.cumsum(discounts)])
    return _share(hits @ discounts, best[np.minimum(sizes, hits.shape[1])], there=sizes > 0)


def exposure(ranked: Ranked, item_ids: ArrayLike) -> Ids:
    """In how many lists each posting stands, shape (items,), in the order of `item_ids`.

    Raises ValueError where an id is named twice, or a list holds an id that is not named.
    """
    named = np.asarray(item_ids, np.int64)
    ids, counts = _exposures(_ids_of(ranked))
    order = np.argsort(named, kind="stable")
    if np.any(named[order][1:] == named[order][:-1]):
        raise ValueError("an item id is named twice")
    places = np.searchsorted(named, ids, sorter=order)
    found = places < len(named)
    found[found] = named[order[places[found]]] == ids[found]
    if not found.all():
        raise ValueError(f"the lists hold {np.count_nonzero(~found)} ids that are not among the items")
    shown = np.zeros(len(named), np.int64)
    shown[order[places]] = counts
    return shown


def coverage(ranked: Ranked, items: Items) -> float:
    """Share of the postings that stand in at least one list."""
    shown, size = _shown(ranked, items)
    return len(shown) / size if size else math.nan


def congestion(ranked: Ranked, items: Items) -> float:
    """Sum of s ln s / ln(items) over the shares s of filled places: 0 all on one posting, -1 spread evenly.

    Bars and goals speak of its negative. NaN with fewer than two postings.
    """
    shown, size = _shown(ranked, items)
    if size < 2 or not len(shown):
        return math.nan
    shares = shown / shown.sum()
    return float(np.sum(shares * np.log(shares)) / math.log(size))


def gini(ranked: Ranked, items: Items) -> float:
    """Gini coefficient of how often each posting is shown: 0 all alike, towards 1 all on one."""
    shown, size = _shown(ranked, items)
    if not len(shown):
        return math.nan
    ranks = np.arange(size - len(shown) + 1, size + 1)  # the postings in no list come first and add nothing
    return float((2 * np.sum(ranks * np.sort(shown)) / shown.sum() - size - 1) / size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One group's mean, and how far it lies from the mean of everybody else, each with its interval.

    A suppressed group tells nothing but its name: every figure is None.
    """

    group: str
    suppressed: bool = False
    people: int | None = None
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    gap: float | None = None
    gap_low: float | None = None
    gap_high: float | None = None

    @property
    def is_clear(self) -> bool:
        """Whether the interval of the gap leaves zero out."""
        return self.gap_low is not None and self.gap_high is not None and not self.gap_low <= 0 <= self.gap_high


def gap_by(
    values: ArrayLike,
    groups: Sequence[str],
    *,
    generator: np.random.Generator,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    small: int = SMALL_GROUP,
) -> list[Gap]:
    """Gaps of a per-person measure (n,) between groups (n,), in the order of their names; NaN values are left out.

    Intervals are percentiles of `resamples` bootstrap draws of people. A group of fewer than `small` people is
    suppressed: its figures would be noise, and could be traced to somebody. Where all suppressed together are still
    fewer than `small`, the smallest of the others goes too, since the total less what is told would give them away.
    """
    measured = np.asarray(values, np.float64)
    if measured.ndim != 1 or len(groups) != len(measured):
        raise ValueError(f"one group for each value: {len(groups)} groups, values of shape {measured.shape}")
    if resamples < 1 or not 0 < level < 1:
        raise ValueError(f"an interval needs draws and a level in 0-1: {resamples}, {level}")
    there = ~np.isnan(measured)
    names, codes = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    measured, codes = measured[there], codes[there]
    sizes = np.bincount(codes, minlength=len(names))
    hidden = _hidden(sizes, small)
    means, gaps = _means_and_gaps(measured, codes, len(names))
    drawn_means, drawn_gaps = np.empty((2, resamples, len(names)))
    for draw in range(resamples):
        chosen = generator.integers(0, len(measured), len(measured)) if len(measured) else np.empty(0, np.int64)
        drawn_means[draw], drawn_gaps[draw] = _means_and_gaps(measured[chosen], codes[chosen], len(names))
    told = []
    for code, name in enumerate(names):
        if hidden[code]:
            told.append(Gap(group=str(name), suppressed=True))
            continue
        low, high = _interval(drawn_means[:, code], level)
        gap_low, gap_high = _interval(drawn_gaps[:, code], level)
        told.append(
            Gap(
                group=str(name),
                people=int(sizes[code]),
                mean=float(means[code]),
                low=low,
                high=high,
                gap=_known(gaps[code]),
                gap_low=gap_low,
                gap_high=gap_high,
            )
        )
    return told


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an office is shown of a set of lists. `to_dict` has stable keys; figures that there are none for are None.

    `least_shown`, `median_shown`, `most_shown`: in how many lists the postings stand. `gaps[dimension][measure]`: one
    line for each group; the measures are "recall" and "ndcg", or "filled", the share of places filled, without a truth.
    """

    people: int
    people_with_truth: int
    places: int
    items: int
    recall: float | None
    ndcg: float | None
    coverage: float | None
    congestion: float | None
    gini: float | None
    unseen: int
    least_shown: int
    median_shown: float
    most_shown: int
    gaps: Mapping[str, Mapping[str, tuple[Gap, ...]]]

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, for JSON."""
        told = {name: getattr(self, name) for name in self.__slots__ if name != "gaps"}
        told["gaps"] = {
            dimension: {measure: [asdict(gap) for gap in lines] for measure, lines in by_measure.items()}
            for dimension, by_measure in self.gaps.items()
        }
        return told

    def to_json(self) -> str:
        """The report as JSON text, its keys in a fixed order."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    def to_text(self) -> str:
        """The report in plain Chinese."""
        lines = [f"一共给{self.people}人列了单子，每人最多{self.places}个岗位；岗位一共{self.items}个。"]
        if self.recall is not None and self.ndcg is not None:
            lines += [f"其中{self.people_with_truth}人后来有去向，去向在单子上的占{_percent(self.recall)}。"]
            lines += [f"去向排得越靠前分越高，满分100，得{100 * self.ndcg:.1f}分。"]
        if self.coverage is not None:
            lines += [
                f"至少上了一张单子的岗位占{_percent(self.coverage)}，还有{self.unseen}个没有人看到。",
                f"一个岗位最少上{self.least_shown}张单子，一半的岗位不超过{self.median_shown:g}张，最多{self.most_shown}张。",
            ]
        if self.congestion is not None and self.gini is not None:
            lines += [f"分散程度{-self.congestion:.2f}：1是平均分给每个岗位，0是全挤在一个岗位上。"]
            lines += [f"基尼系数{self.gini:.2f}：0是每个岗位一样多。"]
        for dimension, by_measure in self.gaps.items():
            for measure, gaps in by_measure.items():
                title = f"按{_DIMENSIONS.get(dimension, dimension)}看{_MEASURES[measure]}："
                lines += [title, *(f"  {_gap_told(gap)}" for gap in gaps)]
        return "\n".join(lines)


def report(
    ranked: Ranked,
    item_ids: ArrayLike,
    *,
    truth: Truth | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    generator: np.random.Generator,
    resamples: int = RESAMPLES,
    small: int = SMALL_GROUP,
) -> Report:
    """Every measure of a set of lists, and the gaps by each dimension of `groups`.

    `groups` maps a dimension ("age_band", "sex", "district", "poverty", or any name) to the group of each person. For
    people whose group is not known, the caller says so with a name of its own ("不详").
    """
    ids = _ids_of(ranked)
    shown = exposure(ids, item_ids)
    each = {"filled": np.mean(ids != NOTHING, axis=1)} if truth is None else _each(ids, truth)
    return Report(
        people=len(ids),
        people_with_truth=0 if truth is None else int(np.count_nonzero(~np.isnan(each["recall"]))),
        places=ids.shape[1],
        items=len(shown),
        recall=None if truth is None else _known(_mean(each["recall"])),
        ndcg=None if truth is None else _known(_mean(each["ndcg"])),
        coverage=_known(coverage(ids, len(shown))),
        congestion=_known(congestion(ids, len(shown))),
        gini=_known(gini(ids, len(shown))),
        unseen=int(np.count_nonzero(shown == 0)),
        least_shown=int(shown.min()) if len(shown) else 0,
        median_shown=float(np.median(shown)) if len(shown) else 0.0,
        most_shown=int(shown.max(initial=0)),
        gaps={
            dimension: {
                measure: tuple(gap_by(values, labels, generator=generator, resamples=resamples, small=small))
                for measure, values in each.items()
            }
            for dimension, labels in (groups or {}).items()
        },
    )


def _each(ids: Ids, truth: Truth) -> dict[str, Floats]:
    return {"recall": recall_each(ids, truth), "ndcg": ndcg_each(ids, truth)}


def _ids_of(ranked: Ranked) -> Ids:
    ids = ranked.ids if isinstance(ranked, RankedTable) else np.asarray(ranked)
    if ids.ndim != 2 or not (np.issubdtype(ids.dtype, np.integer) or not ids.size):
        raise ValueError(f"lists are whole numbers of shape (n, k): {ids.dtype}, {ids.shape}")
    return np.asarray(ids, np.int64)


def _hits(ids: Ids, truth: Truth) -> tuple[NDArray[np.bool_], Ids]:
    """Which places of the lists (n, k) hold something of the person's truth, and how large each truth is (n,)."""
    rows, wanted = _pairs(truth, len(ids))
    names, codes = np.unique(np.concatenate([wanted, ids.ravel()]), return_inverse=True)
    width = len(names)
    due = np.unique(rows * width + codes[: len(wanted)])
    places = np.arange(len(ids))[:, None] * width + codes[len(wanted) :].reshape(ids.shape)
    sizes = np.bincount(due // width if width else due, minlength=len(ids))
    return np.isin(places, due), sizes.astype(np.int64)


def _pairs(truth: Truth, people: int) -> tuple[Ids, Ids]:
    """The truth as people (p,) and ids (p,)."""
    if sparse.issparse(truth):
        table = sparse.coo_array(truth)
        if table.shape[0] != people:
            raise ValueError(f"{people} lists, but the truth of {table.shape[0]} people")
        kept = table.data > 0
        rows, columns = table.coords
        return rows[kept].astype(np.int64), columns[kept].astype(np.int64)
    if len(truth) != people:
        raise ValueError(f"{people} lists, but the truth of {len(truth)} people")
    rows = np.repeat(np.arange(people), [len(each) for each in truth])
    wanted = np.fromiter((one for each in truth for one in each), np.int64)
    return rows[wanted != NOTHING], wanted[wanted != NOTHING]


def _exposures(ids: Ids) -> tuple[Ids, Ids]:
    """The ids that stand in lists, lowest first, and in how many."""
    ordered = np.sort(ids, axis=1)
    if np.any((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != NOTHING)):
        raise ValueError("a list holds an id twice")
    found, counts = np.unique(ids[ids != NOTHING], return_counts=True)
    return found, counts.astype(np.int64)


def _shown(ranked: Ranked, items: Items) -> tuple[Ids, int]:
    """How often each posting that is shown at all is shown, and how many postings there are."""
    if isinstance(items, int | np.integer):
        counts = _exposures(_ids_of(ranked))[1]
        if len(counts) > items:
            raise ValueError(f"the lists hold {len(counts)} postings, more than the {items} there are")
        return counts, int(items)
    shown = exposure(ranked, items)
    return shown[shown > 0], len(shown)


def _hidden(sizes: Ids, small: int) -> NDArray[np.bool_]:
    hidden = sizes < small
    while hidden.any() and not hidden.all() and sizes[hidden].sum() < small:
        rest = np.flatnonzero(~hidden)
        hidden[rest[np.argmin(sizes[rest])]] = True
    return hidden


def _means_and_gaps(values: Floats, codes: Ids, size: int) -> tuple[Floats, Floats]:
    """Mean of each group, and its distance from the mean of everybody else; NaN for an empty one."""
    sums, counts = np.bincount(codes, values, size), np.bincount(codes, minlength=size)
    means = _share(sums, counts)
    return means, means - _share(sums.sum() - sums, counts.sum() - counts)


def _interval(drawn: Floats, level: float) -> tuple[float | None, float | None]:
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return None, None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _share(parts: ArrayLike, wholes: ArrayLike, *, there: NDArray[np.bool_] | None = None) -> Floats:
    over, under = np.asarray(parts, np.float64), np.asarray(wholes, np.float64)
    shares = np.full(over.shape, np.nan)
    np.divide(over, under, out=shares, where=under > 0 if there is None else there)
    return shares


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _gap_told(gap: Gap) -> str:
    if gap.mean is None or gap.low is None or gap.high is None:
        return f"{gap.group}：人数太少，不显示（怕认出人来，数字也不可靠）"
    told = f"{gap.group}（{gap.people}人）：{_percent(gap.mean)}，大致在{_percent(gap.low)}到{_percent(gap.high)}之间"
    if gap.gap is None or not gap.is_clear:
        return f"{told}；和其他人看不出差别"
    return f"{told}；比其他人{'高' if gap.gap > 0 else '低'}{100 * abs(gap.gap):.1f}个百分点"


_DIMENSIONS = {"age_band": "年龄段", "sex": "性别", "district": "区县", "poverty": "是否脱贫人口"}
_MEASURES = {"recall": "去向在单子上的比例", "ndcg": "排得靠不靠前", "filled": "单子填满的比例"}
