"""One person's list: the exact best 20 of a generated city, beside what an engineer would use instead.

    uv run --group bench bench/ranking.py [--postings 1000000] [--people 200] [--rng-seed 1]
    uv run --group bench bench/ranking.py --identical       # 1,000 rows of one agency that differ in nothing
    uv run --group bench bench/ranking.py --one-township    # everything in one township

All engines are asked person by person in one run, and every answer is checked against the plain NumPy score: exact
engines within 3e-6 of each score, the others for no better one; recall is the share of the exact list that they reach
by score. Figures are CPU time of one core: of the thread, for PostgreSQL of the backend's process; build is CPU time,
for databases time by the clock. Peers get each person's closeness, words and parts by value for nothing; ours pays for
putting a person into arrays, words included, and the search alone stands below it.

Databases and their ratios stand on the people without words of their own, about half: their statement knows none.
PostgreSQL is given a table clustered by place, all of it in memory, plans for the values at hand, and no whole reading
where a statement is meant to use an index. Where PostGIS is not installed its rows are left out. The two other markets
compare ours, our own reading of every row and NumPy.
"""

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from bench.city import TODAY, make_city, make_people
from bench.columns import Columns, Floats, Wish, recall
from bench.databases import (
    POSTGIS,
    DuckDB,
    Parameters,
    PostgreSQL,
    SQLite,
    full_score,
    parameters_of,
    running_postgresql,
)
from bench.engines import ROW_BYTES, Asked, ask_index, check, index_megabytes, read_speed, scan_index
from bench.vectors import Embedding, Faiss, NearestPlaces
from matching import MatchIndex

K = 20
WARM_UP = 8
OURS, SEARCH, SCAN = "match index", "  of this the search", "own scan of every row"
NUMPY, NUMPY_NEAR = "NumPy, every row", "NumPy, rows within reach"
EXACT_POSTGRESQL = "PostgreSQL, full score of every row"
USEFUL = 0.8  # of the list: what a practical query must find


@dataclass(frozen=True, slots=True)
class Question:
    """A person as the engines take them; `parameters` for those without words of their own."""

    wish: Wish
    parameters: Parameters | None


Ask = Callable[[Question], tuple[float, Floats]]


@dataclass(slots=True)
class Engine:
    """Something that answers, and what was measured: seconds and recall by the number of the question."""

    name: str
    build_s: float
    megabytes: float
    ask: Ask
    is_exact: bool = False
    knows_words: bool = True
    seconds: dict[int, float] = field(default_factory=dict)
    recalls: dict[int, float] = field(default_factory=dict)

    def milliseconds(self, percentile: float = 50, among: "Engine | None" = None) -> float:
        """A percentile over the questions that it, or another engine, was asked."""
        asked = self.seconds if among is None else among.seconds
        return float(np.percentile([self.seconds[nth] for nth in asked], percentile) * 1000)


def timed(answer: Callable[[], tuple[object, Floats]]) -> tuple[float, Floats]:
    """Seconds of the thread that an answer took, and its scores."""
    begun = time.thread_time()
    _, scores = answer()
    return time.thread_time() - begun, scores


def core_engines(index: MatchIndex, build_s: float, columns: Columns, columns_s: float) -> list[Engine]:
    """Ours, our scan, NumPy."""
    last: list[Asked] = []

    def plain(best: Callable[[Wish, int], tuple[object, Floats]]) -> Ask:
        return lambda question: timed(lambda: best(question.wish, K))

    def ours(question: Question) -> tuple[float, Floats]:
        last[:] = [ask_index(index, question.wish.seeker, K)]
        return last[0].asking + last[0].searching, last[0].scores

    def search_alone(question: Question) -> tuple[float, Floats]:
        del question
        return last[0].searching, last[0].scores

    return [
        Engine(OURS, build_s, index_megabytes(index), ours, is_exact=True),
        Engine(SEARCH, build_s, index_megabytes(index), search_alone, is_exact=True),
        Engine(
            SCAN,
            build_s,
            len(columns) * ROW_BYTES / 1e6,
            lambda it: scan_index(index, it.wish.seeker, K),
            is_exact=True,
        ),
        Engine(NUMPY, columns_s, columns.megabytes, plain(columns.best), is_exact=True),
        Engine(NUMPY_NEAR, columns_s, columns.megabytes, plain(columns.best_within_reach), is_exact=True),
    ]


def vector_engines(generator: np.random.Generator, columns: Columns, sample: Sequence[Wish]) -> Iterator[Engine]:
    """BallTree and faiss, each with the full score behind it."""
    tree = NearestPlaces(columns, 3000)
    yield Engine(
        "BallTree, nearest 3,000 + NumPy", tree.seconds, tree.megabytes, lambda it: timed(lambda: tree.best(it.wish, K))
    )
    embedding = Embedding(generator, columns, sample)
    flat, cells = Faiss(columns, embedding), Faiss(columns, embedding, probes=16)

    def probing(probes: int) -> Ask:
        def ask(question: Question) -> tuple[float, Floats]:
            cells.set_probes(probes)
            return timed(lambda: cells.best(question.wish, K, 2000))

        return ask

    made = embedding.seconds
    yield Engine(
        "faiss, all vectors, 2,000 + NumPy",
        made + flat.seconds,
        flat.megabytes,
        lambda it: timed(lambda: flat.best(it.wish, K, 2000)),
    )
    for probes in (16, 64):
        name = f"faiss, {probes} cells, 2,000 + NumPy"
        yield Engine(name, made + cells.seconds, cells.megabytes, probing(probes))


def database_engines(columns: Columns, server: PostgreSQL | None) -> Iterator[Engine]:
    """Those that rank in SQL."""

    def of(question: Question) -> tuple[int, Parameters]:
        assert question.parameters is not None
        return len(question.wish.places), question.parameters

    def practical(database: PostgreSQL, statement: Callable[[int], str]) -> Ask:
        def ask(question: Question) -> tuple[float, Floats]:
            places, parameters = of(question)
            spent, (_, scores) = database.ask(statement(places), parameters, whole=False)
            return spent, scores

        return ask

    def whole(database: PostgreSQL) -> Ask:
        def ask(question: Question) -> tuple[float, Floats]:
            places, parameters = of(question)
            spent, (_, scores) = database.ask(full_score(places), parameters, whole=True)
            return spent, scores

        return ask

    def embedded(database: SQLite | DuckDB) -> Ask:
        def ask(question: Question) -> tuple[float, Floats]:
            places, parameters = of(question)
            spent, (_, scores) = database.ask(full_score(places), parameters)
            return spent, scores

        return ask

    if server is not None:
        size = server.loaded
        yield Engine(EXACT_POSTGRESQL, size.seconds, size.megabytes, whole(server), is_exact=True, knows_words=False)
        for name, statement in POSTGIS.items():
            yield Engine(name, size.seconds, size.megabytes, practical(server, statement), knows_words=False)
    for name, database in (("SQLite", SQLite(columns)), ("DuckDB", DuckDB(columns))):
        size = database.loaded
        yield Engine(
            f"{name}, full score of every row",
            size.seconds,
            size.megabytes,
            embedded(database),
            is_exact=True,
            knows_words=False,
        )


@contextmanager
def _no_server() -> Iterator[None]:
    yield None


def run(engines: Sequence[Engine], columns: Columns, questions: Sequence[Question]) -> None:
    """Put the questions to all engines, one after the other; the first few only warm up."""
    for nth, question in enumerate(questions):
        _, exact = columns.best(question.wish, K)
        for engine in engines:
            if question.parameters is None and not engine.knows_words:
                continue
            spent, scores = engine.ask(question)
            check(engine.name, exact, scores, is_exact=engine.is_exact)
            if nth >= WARM_UP:
                engine.seconds[nth], engine.recalls[nth] = spent, recall(exact, scores)


def tell(engines: Sequence[Engine]) -> None:
    """The table."""
    ours = engines[0]
    head = f"{'build s':>9}{'MB':>7}{'p50 ms':>10}{'p99 ms':>10}{'recall':>8}{'least':>7}{'x ours':>9}{'people':>8}"
    print(f"{'':46}{head}")
    for each in engines:
        recalls = list(each.recalls.values())
        times = each.milliseconds() / ours.milliseconds(among=each)
        print(
            f"{each.name:46}{each.build_s:>9.1f}{each.megabytes:>7.0f}{each.milliseconds():>10.3f}"
            f"{each.milliseconds(99):>10.3f}{np.nanmean(recalls):>8.3f}{np.nanmin(recalls):>7.2f}{times:>9.1f}"
            f"{len(each.seconds):>8}"
        )


def tell_ours(index: MatchIndex, columns: Columns, questions: Sequence[Question]) -> None:
    """Where our time goes, with reasons and words; and how near ours and our scan are to what memory allows."""
    asked = [ask_index(index, each.wish.seeker, K) for each in questions]
    ranked = []
    for each in questions:
        index._state.questions._said.cache_clear()  # noqa: SLF001
        begun = time.thread_time()
        index.rank(each.wish.seeker, K)
        ranked.append(time.thread_time() - begun)
    scanned = [scan_index(index, each.wish.seeker, K)[0] for each in questions]

    def told(seconds: Sequence[float]) -> str:
        return f"p50 {np.median(seconds) * 1e6:,.0f} us, p99 {np.percentile(seconds, 99) * 1e6:,.0f} us"

    searching = [each.searching for each in asked]
    print("\nours again, no other engine between two people:")
    print(f"  into arrays, words included: {told([each.asking for each in asked])}")
    print(f"  search: {told(searching)}")
    has_words = [each.wish.has_words for each in questions]
    for name, wanted in (("with words", True), ("without", False)):
        some = [each.asking + each.searching for each, words in zip(asked, has_words, strict=True) if words == wanted]
        print(f"  both, people {name}: {told(some)}")
    print(f"  MatchIndex.rank from end to end, with reasons: {told(ranked)}")
    speed = read_speed()
    read = float(np.median([each.bytes_read for each in asked]))
    whole = len(columns) * ROW_BYTES
    print(f"memory, read one after the other by one core: {speed / 1e9:.1f} GB/s")
    for name, size, spent in ((OURS, read, np.median(searching)), (SCAN, whole, np.median(scanned))):
        limit = size / speed
        print(
            f"  {name}: {size / 1e6:.2f} MB, {limit * 1e6:,.0f} us at that speed, measured {spent * 1e6:,.0f} us:"
            f" {limit / spent:.0%} of what memory allows"
        )


def tell_bars(engines: Sequence[Engine]) -> None:
    """What was asked for, and what was measured: with a person's way into arrays, and the search alone."""
    by_name = {each.name: each for each in engines}
    ours, search = by_name[OURS], by_name[SEARCH]

    def share(peer: Engine) -> str:
        parts = (each.milliseconds(among=peer) / peer.milliseconds() for each in (ours, search))
        return "{:.3%}, search alone {:.3%}".format(*parts)

    print("\nasked / measured")
    if EXACT_POSTGRESQL in by_name:
        practical = [by_name[name] for name in POSTGIS]
        found = {each.name: float(np.nanmean(list(each.recalls.values()))) for each in practical}
        useful = [each for each in practical if found[each.name] >= USEFUL]
        best = min(useful, key=Engine.milliseconds) if useful else max(practical, key=lambda each: found[each.name])
        print(f"  median to the best practical query, {best.name}: <= 2 % / {share(best)}")
        print(f"  median to the exact PostgreSQL query: <= .1 % / {share(by_name[EXACT_POSTGRESQL])}")
    print(f"  median to our own scan of every row: <= 5 % / {share(by_name[SCAN])}")
    for peer in (by_name[NUMPY], by_name[NUMPY_NEAR]):
        spent = peer.milliseconds()
        times = f"{spent / ours.milliseconds():.1f} x, search alone {spent / search.milliseconds():.1f} x"
        print(f"  {peer.name}: >= 40 x / {times}")
    print(f"  p99 of ours to its median: <= 10 x / {ours.milliseconds(99) / ours.milliseconds():.1f} x")
    print(f"  recall of ours, the least of all questions: 1 / {np.nanmin(list(ours.recalls.values())):.3f}")


def main() -> None:
    """Build all, ask all, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postings", type=int, default=1_000_000)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--rng-seed", type=int, default=1)
    parser.add_argument("--identical", action="store_true")
    parser.add_argument("--one-township", action="store_true")
    given = parser.parse_args()
    is_plain = not (given.identical or given.one_township)
    generator = np.random.default_rng(given.rng_seed)
    identical = min(1000, given.postings) if given.identical else 0
    city = make_city(generator, given.postings, one_township=given.one_township, identical=identical)
    people = make_people(generator, city, given.people + WARM_UP)
    begun = time.process_time()
    index = MatchIndex.build(city.openings, today=TODAY)
    build_s = time.process_time() - begun
    index.warm_up()
    begun = time.process_time()
    columns = Columns(index)
    columns_s = time.process_time() - begun
    wishes = [columns.wish(person) for person in people]
    questions = [
        Question(wish, None if wish.has_words or wish.is_child else parameters_of(columns, wish, K)) for wish in wishes
    ]
    engines = core_engines(index, build_s, columns, columns_s)
    market = f"{given.postings:,} postings"
    market += ", all in one township" if given.one_township else ""
    market += f", {identical:,} of them the same" if identical else ""
    with running_postgresql(columns) if is_plain else _no_server() as server:
        if is_plain:
            engines += [*database_engines(columns, server), *vector_engines(generator, columns, wishes[:WARM_UP])]
        run(engines, columns, questions)
        print(f"{market}, {given.people} people, k = {K}, seed {given.rng_seed}, CPU time of one core")
        tell(engines)
        if is_plain and server is None:
            print("PostgreSQL with PostGIS is not installed: its rows are left out")
    tell_ours(index, columns, questions[WARM_UP:])
    tell_bars(engines)


if __name__ == "__main__":
    main()
