"""Titles to occupations beside what one would use instead: learning, looking up aliases, a whole import.

    uv run --group bench bench/resolving.py [--rows 20000] [--rng-seed 1]

Learning is judged by five-fold cross-validation on `bench/title_labels.csv` (real titles with a platform's own label),
each fold answered by what was learnt from the others alone; names of labels are known to all. Aliases are those of the
product, asked with slips of the pen. The import has as many rows as are asked for, of real titles with slips, so that
hardly one is met twice, and once more with as many distinct titles as an import has. Times are CPU time on one core.
"""

import argparse
import csv
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from matching import OccupationResolver
from matching.aliases import Aliases

ROOT = Path(__file__).parents[1]
DATA = ROOT / "seed" / "data"
FOLDS = 5
Pairs = Sequence[tuple[str, str]]
Answers = list[list[str]]


def read(path: Path) -> list[dict[str, str]]:
    """Rows of a table."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def by_resolver(names: Sequence[str], told: Pairs, titles: Sequence[str]) -> Answers:
    """Ours."""
    resolver = OccupationResolver.from_tables({name: name for name in names}, [], told)
    return [[each.code for each in found] for found in resolver.resolve_many(titles, k=5)]


def by_vector_machine(names: Sequence[str], told: Pairs, titles: Sequence[str]) -> Answers:
    """A linear support-vector machine on weighted character n-grams; names are examples as well."""
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3), sublinear_tf=True)
    pairs = [*told, *((name, name) for name in names)]
    machine = LinearSVC(C=1).fit(vectors.fit_transform([text for text, _ in pairs]), [label for _, label in pairs])
    order = np.argsort(-machine.decision_function(vectors.transform(titles)), axis=1)[:, :5]
    return [[str(label) for label in machine.classes_[row]] for row in order]


def by_letters(names: Sequence[str], told: Pairs, titles: Sequence[str]) -> Answers:
    """The labels of the examples and names whose letters are most alike."""
    pairs = [*told, *((name, name) for name in names)]
    texts = [text for text, _ in pairs]
    found: Answers = []
    for title in titles:
        near = process.extract(title, texts, scorer=fuzz.ratio, limit=40)
        found.append(list(dict.fromkeys(pairs[place][1] for _, _, place in near))[:5])
    return found


def by_names(names: Sequence[str], _: Pairs, titles: Sequence[str]) -> Answers:
    """The names whose letters are most alike; nothing is learnt."""
    return [[name for name, _, _ in process.extract(title, names, scorer=fuzz.ratio, limit=5)] for title in titles]


def show_learning(generator: np.random.Generator) -> None:
    """Five-fold cross-validation of ours and its peers."""
    pairs = [(row["title"], row["label"]) for row in read(ROOT / "bench" / "title_labels.csv")]
    names = sorted({label for _, label in pairs})
    folds = np.array_split(generator.permutation(len(pairs)), FOLDS)
    print(f"{len(pairs):,} titles, {len(names)} labels, {FOLDS} folds")
    print(f"  {'':<34}{'first is right':>15}{'among five':>12}{'CPU s a fold':>14}")
    methods: dict[str, Callable[[Sequence[str], Pairs, Sequence[str]], Answers]] = {
        "ours": by_resolver,
        "linear SVM on character n-grams": by_vector_machine,
        "letters of examples and names": by_letters,
        "letters of names": by_names,
    }
    for name, method in methods.items():
        first = five = 0
        spent = []
        for fold in folds:
            held = set(fold.tolist())
            begun = time.process_time()
            answers = method(
                names, [pair for at, pair in enumerate(pairs) if at not in held], [pairs[at][0] for at in fold]
            )
            spent.append(time.process_time() - begun)
            for at, found in zip(fold, answers, strict=True):
                first += found[:1] == [pairs[at][1]]
                five += pairs[at][1] in found
        print(f"  {name:<34}{first / len(pairs):>15.3f}{five / len(pairs):>12.3f}{median(spent):>14.1f}")


def with_slips(generator: np.random.Generator, texts: Sequence[str], letters: str, number: int) -> list[str]:
    """Texts drawn with one or two letters put in, left out or exchanged."""
    slipped = []
    for place in generator.integers(0, len(texts), number):
        text = list(texts[place])
        for _ in range(generator.integers(1, 3)):
            at = int(generator.integers(0, len(text) + 1))
            letter = letters[generator.integers(0, len(letters))]
            kind = generator.integers(0, 3)
            if kind == 0 or not text:
                text.insert(at, letter)
            elif kind == 1:
                text[min(at, len(text) - 1)] = letter
            elif len(text) > 1:
                del text[min(at, len(text) - 1)]
        slipped.append("".join(text))
    return slipped


def show_aliases(generator: np.random.Generator, aliases: Sequence[str], asked: int) -> None:
    """The nearest alias by letters beside rapidfuzz, interleaved query by query."""
    searched = Aliases(aliases, range(len(aliases)))
    queries = with_slips(generator, aliases, "".join(aliases), asked)
    searched.nearest(queries[0])
    times: dict[str, list[float]] = {"ours": [], "extractOne(ratio)": []}
    same = 0
    for words in queries:
        begun = time.thread_time()
        _, mine = searched.nearest(words)
        times["ours"].append(time.thread_time() - begun)
        begun = time.thread_time()
        best = process.extractOne(words, aliases, scorer=fuzz.ratio)
        times["extractOne(ratio)"].append(time.thread_time() - begun)
        same += abs(mine - best[1] / 100) < 1e-12
    begun = time.thread_time()
    for chunk in np.array_split(np.array(queries, dtype=object), max(1, len(queries) // 1000)):
        process.cdist(chunk, aliases, scorer=fuzz.ratio, dtype=np.uint8).argmax(axis=1)
    blocks = (time.thread_time() - begun) / len(queries)
    mine = median(times["ours"])
    print(f"{len(aliases):,} aliases, {asked:,} queries, best score the same in {same / asked:.1%}")
    for name, figures in times.items():
        print(f"  {name:<34}{median(figures) * 1e6:>10.1f} µs{mine / median(figures):>9.1%} of it")
    print(f"  {'cdist(ratio), 1,000 at a time':<34}{blocks * 1e6:>10.1f} µs{mine / blocks:>9.1%} of it")


def show_import(generator: np.random.Generator, resolver: OccupationResolver, rows: int) -> None:
    """A whole import, whose rows are nearly all different, and one as imports are."""
    titles = list(dict.fromkeys(row["title"] for row in read(DATA / "sample_postings.csv")))
    different = with_slips(generator, titles, "".join(titles), rows)
    usual: NDArray[np.object_] = generator.choice(np.array(titles, dtype=object), rows)
    for name, texts in (("nearly all different", different), ("as imports are", usual.tolist())):
        begun = time.process_time()
        resolver.resolve_many(texts, k=1)
        spent = time.process_time() - begun
        print(
            f"  {rows:,} rows, {name} ({len(set(texts)):,} distinct): {spent:.1f} s, {spent / rows * 1e6:.0f} µs a row"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=2_000)
    parser.add_argument("--rng-seed", type=int, default=1)
    asked = parser.parse_args()
    draws = np.random.default_rng(asked.rng_seed)
    show_learning(draws)
    names = {row["code"]: row["name"] for row in read(DATA / "occupations_gbm2022.csv")}
    words = [(row["alias"], row["occ_code"]) for row in read(DATA / "occupation_aliases.csv")]
    words += [(row["text"], row["code"]) for row in read(DATA / "occupation_words.csv")]
    show_aliases(draws, sorted({text for text, _ in words}), asked.queries)
    show_import(draws, OccupationResolver.from_tables(names, words), asked.rows)
