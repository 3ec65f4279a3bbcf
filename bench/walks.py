"""Who turns to what next, and lists that do not crowd: the walk and repricing beside what one would use instead.

    uv run --group bench bench/walks.py [--seeds 1 2 3] [--people 3900] [--postings 4300] [--elsewhere 0.1 0.4]

The market is generated, of the size and kind of the CareerBuilder subset that congestion-aware papers use (Mashayekhi
et al., ReCon, RecSys 2023). Where each of its figures comes from:

- applications for each person and each posting: of the 1,603,111 applications of the Kaggle challenge of 2012, 321,235
  people made 4.99 each, 33.7 % of them only one; 365,668 postings got 4.38 each, 43.4 % of them only one. A person's
  count is a rounded-up log-normal, a posting's a Poisson draw around one, with the two parameters that each pair of
  figures fixes. How dense the subset is was not to be found, so two markets are run: "whole" is as sparse as all the
  data, "core" is drawn from people and postings with two or more (6.49 and 6.60 each in the data). The market as drawn
  is printed. Who applied once teaches, but has nothing to hold out.
- distance: job-seekers are 35 % less likely to apply ten miles away (Marinescu and Rathelot, AEJ Macro 2018, on
  CareerBuilder): a chance of exp(-miles / 23.2).
- cities: sizes by Zipf's law (Gabaix, QJE 1999). Fifty of them, far apart, each a blur of ten miles: assumed.
- occupations: 22 groups (SOC major groups) of 5 titles, shares by Zipf's law: assumed. How many apply outside their
  title is not published for these data: `--elsewhere` is the share, of which half stays in the group, and several
  values of it are run and shown.
- the order of somebody's applications is random, since nothing is published on how taste moves: the last fifth, at
  least one, is held out.

Nothing was tuned on it but the peers and, on seeds 1-3, the rounds of `reprice` in "walk, repriced": three, the same
on every market. The walk runs at its defaults; item-kNN and ALS are tuned for each market on a part of the training
applications, held out the same way, then fitted again on all of them. What somebody has applied for is in nobody's
list. Figures are medians over the seeds; times are CPU seconds of fitting and scoring everybody. "unscored" is the
share of places for which no posting had a score; lists that `reprice` makes fill them evenly, the others by column.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from implicit.als import AlternatingLeastSquares
from numpy.typing import NDArray
from scipy import optimize, sparse
from threadpoolctl import threadpool_limits

from matching import RankedTable, WalkRecommender, measures, reprice

Csr: TypeAlias = "sparse.csr_array[Any, tuple[int, int]]"
Scores: TypeAlias = NDArray[np.float32]

K = 10
PEOPLE_MEAN, PEOPLE_WITH_ONE = 1_603_111 / 321_235, 1 - 212_990 / 321_235
POSTINGS_MEAN, POSTINGS_WITH_ONE = 1_603_111 / 365_668, 1 - 206_839 / 365_668
DECAY_MILES = -10 / math.log(0.65)
CITIES, BLUR_MILES, COUNTRY_MILES = 50, 10.0, 2000.0
GROUPS, TITLES = 22, 5
FITTINGS = 6
SPARE = {1: 0.85, 2: 1.05}  # how many more postings are drawn than kept, so that the figures come out
GENTLE_ROUNDS = 3


@dataclass(frozen=True)
class Market:
    """Applications to learn from and those held out, both (people, postings)."""

    train: Csr
    held_out: Csr


def rounded_up(mean: float, with_one: float) -> tuple[float, float]:
    """Mean and spread of the logarithm of a log-normal that, rounded up, has this mean and this share of ones."""
    edge = statistics.NormalDist().inv_cdf(1 - with_one)  # mu / sigma
    sigma = -edge + math.sqrt(edge * edge + 2 * math.log(mean - 0.5))
    return edge * sigma, sigma


def drawn_around(mean: float, with_one: float) -> tuple[float, float]:
    """The same for Poisson draws around the log-normal, of which those above zero have this mean and share of ones."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()

    def missed(guess: NDArray[np.float64]) -> tuple[float, float]:
        rates = np.exp(guess[0] + guess[1] * nodes)
        above = float(weights @ -np.expm1(-rates))
        return float(weights @ rates) / above - mean, float(weights @ (rates * np.exp(-rates))) / above - with_one

    mu, sigma = optimize.fsolve(missed, rounded_up(mean, with_one))
    return float(mu), float(sigma)


def make_market(generator: np.random.Generator, people: int, postings: int, elsewhere: float, least: int) -> Market:
    """Applications drawn without replacement, by popularity, distance and occupation; see the module's docstring."""
    drawn = np.ceil(generator.lognormal(*rounded_up(PEOPLE_MEAN, PEOPLE_WITH_ONE), 4 * people)).astype(int)
    counts = drawn[drawn >= least][:people]
    wanted = generator.lognormal(*drawn_around(POSTINGS_MEAN, POSTINGS_WITH_ONE), 10 * postings)
    if least > 1:
        wanted = generator.poisson(wanted).astype(float)
        wanted = wanted[wanted >= least]
    # Some will not be applied for at all, since what they draw is a Poisson figure around what they are to draw.
    pool = min(len(wanted), math.ceil(SPARE[least] * postings / float(np.mean(-np.expm1(-wanted)))))
    wanted = wanted[:pool]
    centres = generator.uniform(0, COUNTRY_MILES, (CITIES, 2))
    homes, sites = (
        centres[generator.choice(CITIES, size, p=zipf(CITIES))] + generator.normal(0, BLUR_MILES, (size, 2))
        for size in (people, pool)
    )
    shares = (zipf(GROUPS)[:, None] * zipf(TITLES)).ravel()
    trades, asked = (generator.choice(len(shares), size, p=shares) for size in (people, pool))
    near = np.exp(-np.hypot(*(homes[:, None] - sites).transpose(2, 0, 1)) / DECAY_MILES).astype(np.float32)
    same = trades[:, None] == asked
    kin = (trades[:, None] // TITLES == asked // TITLES) & ~same
    classes = ((same, 1 - elsewhere), (kin, elsewhere / 2), (~same & ~kin, elsewhere / 2))
    pull, chances = wanted.copy(), near
    for _ in range(FITTINGS):  # until each posting draws what it is to draw, wherever it stands
        weights = near * pull.astype(np.float32)
        chances = np.zeros_like(near)
        for cells, share in classes:
            theirs = np.where(cells, weights, 0)
            chances += theirs * (share / np.maximum(theirs.sum(axis=1, keepdims=True), 1e-30))
        pull *= wanted / np.maximum(counts @ chances, 1e-12) * (counts.sum() / wanted.sum())
    with np.errstate(divide="ignore"):
        order = np.argsort(-np.log(chances) - generator.gumbel(size=chances.shape), axis=1)
    columns = np.concatenate([each[:count] for each, count in zip(order, counts, strict=True)])
    applied = np.unique(columns)
    if len(applied) < postings:
        raise ValueError(f"only {len(applied)} postings are applied for, fewer than {postings}")
    place = np.full(pool, -1)
    place[generator.permutation(applied)[:postings]] = np.arange(postings)
    kept = place[columns] >= 0
    cells_kept = np.repeat(np.arange(people), counts)[kept], place[columns[kept]]
    return split(generator, sparse.csr_array((np.ones(kept.sum(), np.float32), cells_kept), shape=(people, postings)))


def zipf(size: int) -> NDArray[np.float64]:
    """Shares that fall with the rank."""
    shares = 1 / np.arange(1, size + 1)
    return np.asarray(shares / shares.sum())


def split(generator: np.random.Generator, applications: Csr) -> Market:
    """The last fifth of each person's applications held out, at least one, if there are two; their order is random."""
    rows, columns = applications.nonzero()
    order = np.lexsort((generator.random(len(rows)), rows))
    rows, columns = rows[order], columns[order]
    counts = np.bincount(rows, minlength=applications.shape[0])
    last = np.where(counts > 1, np.maximum(1, counts // 5), 0)
    late = np.arange(len(rows)) - (np.cumsum(counts) - counts)[rows] >= (counts - last)[rows]
    train, held_out = (
        sparse.csr_array((np.ones(part.sum(), np.float32), (rows[part], columns[part])), shape=applications.shape)
        for part in (~late, late)
    )
    return Market(train, held_out)


def by_popularity(train: Csr) -> Scores:
    """The same for everybody: how often a posting was applied for."""
    return np.tile(np.asarray(train.sum(axis=0), np.float32), (train.shape[0], 1))


def by_item_knn(train: Csr, neighbours: int, shrink: float) -> Scores:
    """Item-kNN: shrunk cosine, each posting's nearest neighbours."""
    together = (train.T @ train).tocsr()
    together.setdiag(0)
    together.eliminate_zeros()
    norms = np.sqrt(np.asarray(train.sum(axis=0)))
    rows = np.repeat(np.arange(together.shape[0]), np.diff(together.indptr))
    together.data /= norms[rows] * norms[together.indices] + shrink
    order = np.lexsort((-together.data, rows))
    rank = np.arange(len(order)) - together.indptr[rows]
    near = order[rank < neighbours]
    kept = sparse.csr_array((together.data[near], (rows[near], together.indices[near])), shape=together.shape)
    return np.asarray((train @ kept.T).todense(), np.float32)


def by_als(train: Csr, factors: int, alpha: float, regularization: float) -> Scores:
    """Implicit's alternating least squares."""
    model = AlternatingLeastSquares(
        factors=factors, alpha=alpha, regularization=regularization, iterations=15, num_threads=1, random_state=0
    )
    model.fit(sparse.csr_matrix(train), show_progress=False)
    return np.asarray(model.user_factors @ model.item_factors.T, np.float32)


def by_walk(train: Csr) -> Scores:
    """The walk at its defaults."""
    return WalkRecommender().fit(train).scores(np.arange(train.shape[0]))


def listed(scores: Scores, train: Csr) -> RankedTable:
    """The ten best of everybody, without what they have applied for."""
    open_scores = scores.copy()
    open_scores[train.nonzero()] = -np.inf
    ids = np.argsort(-open_scores, axis=1, kind="stable")[:, :K]
    return RankedTable(ids, np.take_along_axis(scores, ids, axis=1))


def tuned(score: Callable[..., Scores], grid: Sequence[tuple[float, ...]], market: Market) -> tuple[float, ...]:
    """The setting with the best nDCG on applications held out from the training ones."""
    return max(
        grid, key=lambda setting: measures.ndcg(listed(score(market.train, *setting), market.train), market.held_out)
    )


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds that something took, and what came of it."""
    begun = time.process_time()
    made = work()
    return time.process_time() - begun, made


KNN_GRID = [(near, shrink) for near in (5, 10, 20, 50, 100, 400) for shrink in (0.0, 1.0, 3.0, 10.0, 30.0)]
ALS_GRID = [(factors, alpha, weight) for factors in (32, 64, 128) for alpha in (1.0, 10.0) for weight in (0.01, 1.0)]


def compare(market: Market, generator: np.random.Generator) -> Iterator[tuple[str, dict[str, float]]]:
    """Each method's name and figures on a market."""
    inner = split(generator, market.train)
    knn, als = tuned(by_item_knn, KNN_GRID, inner), tuned(by_als, ALS_GRID, inner)
    methods: dict[str, Callable[[], Scores]] = {
        "popularity": lambda: by_popularity(market.train),
        "item-kNN, tuned": lambda: by_item_knn(market.train, *knn),  # type: ignore[arg-type]
        "implicit ALS, tuned": lambda: by_als(market.train, *als),  # type: ignore[arg-type]
        "walk": lambda: by_walk(market.train),
    }
    scores = np.empty((0, 0), np.float32)
    for name, method in methods.items():
        spent, scores = timed(method)
        yield name, figures(listed(scores, market.train), market) | {"CPU s": spent}
    for name, rate, rounds, floor in (
        ("walk, filled evenly", 0.0, 0, 0),
        ("walk, repriced", 0.07, GENTLE_ROUNDS, 1),
        ("walk, repriced, default", 0.07, 6, 1),
    ):
        spent, table = timed(lambda: reprice(scores, K, rate, rounds, floor, market.train))  # noqa: B023 - called at once
        yield name, figures(table, market) | {"CPU s": spent}


def figures(table: RankedTable, market: Market) -> dict[str, float]:
    """What the table of results shows of a set of lists."""
    items = market.train.shape[1]
    return {
        "nDCG@10": measures.ndcg(table, market.held_out),
        "recall@10": measures.recall(table, market.held_out),
        "coverage": measures.coverage(table, items),
        "-congestion": -measures.congestion(table, items),
        "Gini": measures.gini(table, items),
        "unscored": float(np.mean(table.scores <= 0)),
    }


def show(rows: dict[str, list[dict[str, float]]]) -> None:
    """Medians, one line for each method."""
    columns = list(next(iter(rows.values()))[0])
    print(f"{'':26}" + "".join(f"{column:>13}" for column in columns))
    for name, found in rows.items():
        told = [statistics.median(each[column] for each in found) for column in columns]
        print(f"{name:26}" + "".join(f"{one:>13.4f}" if one < 10 else f"{one:>13.1f}" for one in told))


def ratio(rows: dict[str, list[dict[str, float]]], of: str, to: str, column: str) -> str:
    """The median and the least of the ratios, seed by seed."""
    ratios = [one[column] / other[column] for one, other in zip(rows[of], rows[to], strict=True)]
    return f"{column} of {of} / {to}: median {statistics.median(ratios):.3f}, least {min(ratios):.3f}"


def sensitivity(market: Market) -> dict[str, list[dict[str, float]]]:
    """What other settings of `reprice` would have done on one market."""
    scores = by_walk(market.train)
    plain = figures(reprice(scores, K, rounds=0, floor=0, exclude=market.train), market)
    rows = {"no prices, no floor": [plain | {"kept": 1.0}]}
    rates_and_rounds = [(rate, rounds, 1) for rate in (0.015, 0.03, 0.07, 0.15) for rounds in (3, 6, 12)]
    for rate, rounds, floor in [(0.0, 0, 1), (0.03, 6, 0), *rates_and_rounds, (0.03, 6, 2), (0.03, 6, 4)]:
        found = figures(reprice(scores, K, rate, rounds, floor, exclude=market.train), market)
        rows[f"rate {rate}, {rounds} rounds, floor {floor}"] = [
            found | {"kept": found["recall@10"] / plain["recall@10"]}
        ]
    return rows


def run(kind: str, elsewhere: float, given: argparse.Namespace) -> Market:
    """One kind of market with every seed, printed; the last market."""
    rows: dict[str, list[dict[str, float]]] = {}
    least = {"whole": 1, "core": 2}[kind]
    generators = [np.random.default_rng(seed) for seed in given.seeds]
    markets = [make_market(generator, given.people, given.postings, elsewhere, least) for generator in generators]
    for market, generator in zip(markets, generators, strict=True):
        for name, found in compare(market, generator):
            rows.setdefault(name, []).append(found)
    both = markets[-1].train + markets[-1].held_out
    by_person, by_posting = (np.asarray(both.sum(axis=axis)) for axis in (1, 0))
    print(
        f"\n{kind}, {elsewhere:.0%} outside the title: {given.people:,} people, {given.postings:,} postings, seeds",
        end=" ",
    )
    print(
        f"{given.seeds}; {by_person.mean():.2f} applications for a person, {np.mean(by_person == 1):.1%} with one,",
        end=" ",
    )
    print(
        f"{by_posting.mean():.2f} for a posting, {np.mean(by_posting == 1):.1%} with one, {by_posting.max():.0f} most"
    )
    show(rows)
    print(ratio(rows, "walk", "item-kNN, tuned", "nDCG@10"))
    print(ratio(rows, "walk", "implicit ALS, tuned", "nDCG@10"))
    print(ratio(rows, "walk", "item-kNN, tuned", "CPU s"))
    for name in ("walk, repriced", "walk, repriced, default"):
        print(ratio(rows, name, "walk", "recall@10"), end="; ")
        print(
            ", ".join(
                f"least {each} {min(one[each] for one in rows[name]):.3f}" for each in ("coverage", "-congestion")
            )
        )
    return markets[-1]


def main() -> None:
    """Print a table for each kind of market, the ratios, and the sensitivity of `reprice`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--people", type=int, default=3_900)
    parser.add_argument("--postings", type=int, default=4_300)
    parser.add_argument("--elsewhere", type=float, nargs="+", default=[0.1, 0.4])
    given = parser.parse_args()
    reprice(np.ones((3, 3)), 2, exclude=sparse.csr_array((3, 3)))  # compiled before it is timed
    with threadpool_limits(1):  # one thread each, so that CPU times compare
        for kind in ("whole", "core"):
            last = [run(kind, elsewhere, given) for elsewhere in given.elsewhere][-1]
            print(f"\nreprice at other settings, the last market ({kind})")
            show(sensitivity(last))


if __name__ == "__main__":
    main()
