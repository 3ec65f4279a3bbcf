"""Peers that find candidates by nearness of vectors, then rank those by the full score: BallTree, faiss, implicit.

The embedding has 97 numbers whose inner product stands for the score: closeness of occupations by a singular value
decomposition (32), exp(-km / 15 by road) by random Fourier features (64; Rahimi, Recht 2007, NIPS: the kernel's
spectrum in the plane is Student's t with one degree of freedom), and what a posting has by itself (1), weighed by least
squares against real scores. Bars, the factor of daily travel and the product of both sums fit no inner product.
"""

import time
from collections.abc import Sequence
from typing import Any

import faiss
import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.neighbors import BallTree

from bench.columns import Columns, Floats, Places, Wish
from matching.search import EARTH_RADIUS_KM
from matching.skills import Closeness

SKILL, WAVES = 32, 32  # a wave has two features
WIDTH = SKILL + 2 * WAVES + 1
Vectors = NDArray[np.float32]


class NearestPlaces:
    """scikit-learn's BallTree over places: the so many nearest to each of a person's places."""

    def __init__(self, columns: Columns, count: int) -> None:
        begun = time.process_time()
        self._columns, self._count = columns, min(count, len(columns))
        places = np.column_stack([np.arcsin(columns.z), np.arctan2(columns.y, columns.x)])
        self._tree = BallTree(places, metric="haversine")
        self.seconds = time.process_time() - begun
        self.megabytes = sum(np.asarray(each).nbytes for each in self._tree.get_arrays()) / 1e6

    def best(self, wish: Wish, k: int) -> tuple[Places, Floats]:
        """The k best among them."""
        return self._best(wish, self._nearest([wish]), k)

    def best_for_all(self, wishes: Sequence[Wish], k: int) -> list[Floats]:
        """The scores of each person's k best, by one question to the tree."""
        ends = np.cumsum([len(wish.places) for wish in wishes])
        nearest = np.split(self._nearest(wishes), ends[:-1])
        return [self._best(wish, at, k)[1] for wish, at in zip(wishes, nearest, strict=True)]

    def _nearest(self, wishes: Sequence[Wish]) -> Places:
        places = np.radians([[place.lat, place.lon] for wish in wishes for place in wish.seeker.places])
        return np.asarray(self._tree.query(places, k=self._count, return_distance=False, sort_results=False))

    def _best(self, wish: Wish, nearest: Places, k: int) -> tuple[Places, Floats]:
        return self._columns.best_among(wish, np.unique(nearest) if len(nearest) > 1 else nearest[0], k)


class Embedding:
    """Postings (n, WIDTH) and people as vectors."""

    def __init__(self, generator: np.random.Generator, columns: Columns, sample: Sequence[Wish]) -> None:
        begun = time.process_time()
        scale, tables, codes = (
            columns.scale,
            columns.market.tables,
            list(columns.market.vocabularies.occupations.values),
        )
        closeness = Closeness(codes, columns.market.weights)
        table = np.zeros((len(codes), len(codes)))
        for place, code in enumerate(codes):
            at, values = closeness.to(code)
            table[place, at] = values
        # A person's closeness is a row, so its inner product with the right singular vectors gives it back.
        self._axes = np.linalg.svd(table)[2][:SKILL].T
        spread_km = scale.decay_km / float(np.median(tables.detours))
        normal, other = generator.normal(size=(2, WAVES)), np.abs(generator.normal(size=WAVES))
        self._waves = normal / other / spread_km
        self._middle = np.array([np.arctan2(columns.y, columns.x).mean(), np.arcsin(columns.z).mean()])
        self._weights = np.ones(3)
        itself = columns.chance + columns.worth
        features = self._features(np.arctan2(columns.y, columns.x), np.arcsin(columns.z))
        self._weights = self._fitted(generator, columns, sample, itself, spread_km)
        self.postings: Vectors = np.hstack(
            [self._axes[columns.occupation], features, itself[:, None]], dtype=np.float32, casting="same_kind"
        )
        self.seconds = time.process_time() - begun
        self.megabytes = self.postings.nbytes / 1e6

    def person(self, wish: Wish) -> Vectors:
        """A vector for each of a person's places."""
        places = wish.seeker.places
        features = self._features(*np.radians([[place.lon, place.lat] for place in places]).T)
        skill = np.tile(wish.close @ self._axes, (len(places), 1))
        skill, near, itself = skill * self._weights[0], features * self._weights[1], np.ones((len(places), 1))
        return np.hstack([skill, near, itself * self._weights[2]]).astype(np.float32)

    def _features(self, lon: Floats, lat: Floats) -> Floats:
        east = (lon - self._middle[0]) * np.cos(self._middle[1]) * EARTH_RADIUS_KM
        north = (lat - self._middle[1]) * EARTH_RADIUS_KM
        angles = np.column_stack([east, north]) @ self._waves
        return np.asarray(np.hstack([np.cos(angles), np.sin(angles)]) / np.sqrt(WAVES))

    @staticmethod
    def _fitted(
        generator: np.random.Generator, columns: Columns, sample: Sequence[Wish], itself: Floats, spread_km: float
    ) -> Floats:
        left, right = [], []
        for wish in sample:
            at = generator.integers(0, len(columns), 20_000)
            skill, km, scores = columns.parts(wish, at)
            # What matters is the order of the good ones.
            at_top = np.argsort(-scores)[:2000]
            near = np.exp(-km / spread_km)
            left.append(np.column_stack([skill, near, itself[at], np.ones(len(at))])[at_top])
            right.append(scores[at_top])
        return np.asarray(np.maximum(np.linalg.lstsq(np.vstack(left), np.hstack(right))[0][:3], 0))


class Faiss:
    """faiss on one thread: all vectors by inner product, or those in the nearest of a thousand cells."""

    def __init__(self, columns: Columns, embedding: Embedding, *, probes: int = 0) -> None:
        faiss.omp_set_num_threads(1)
        begun = time.process_time()
        self._columns, self._embedding = columns, embedding
        self._index: Any = faiss.IndexFlatIP(WIDTH)
        if probes:
            cells = min(1024, max(1, len(columns) // 100))
            self._index = faiss.IndexIVFFlat(self._index, WIDTH, cells, faiss.METRIC_INNER_PRODUCT)
            self._index.train(embedding.postings[:: max(1, len(columns) // (cells * 40))])
            self._index.nprobe = probes
        self._index.add(embedding.postings)
        self.seconds = time.process_time() - begun
        self.megabytes = len(columns) * WIDTH * 4 / 1e6

    def set_probes(self, probes: int) -> None:
        """Look into so many cells."""
        self._index.nprobe = probes

    def best(self, wish: Wish, k: int, count: int) -> tuple[Places, Floats]:
        """The k best among the `count` nearest to each of a person's places."""
        _, at = self._index.search(self._embedding.person(wish), min(count, len(self._columns)))
        return self._columns.best_among(wish, np.unique(at[at >= 0]), k)


class Factors:
    """implicit's recommend-all over given factors, on one thread."""

    def __init__(self, embedding: Embedding) -> None:
        self._embedding = embedding
        self._model = AlternatingLeastSquares(factors=WIDTH, num_threads=1)
        self._model.item_factors = embedding.postings

    def candidates(self, wishes: Sequence[Wish], count: int) -> tuple[float, Places]:
        """Seconds of CPU, and the `count` nearest to each person's first place: (n, count)."""
        self._model.user_factors = np.vstack([self._embedding.person(wish)[:1] for wish in wishes])
        nothing = csr_matrix(np.zeros((len(wishes), 1), np.float32))
        begun = time.process_time()
        at, _ = self._model.recommend(
            np.arange(len(wishes)), nothing, N=count, filter_already_liked_items=False, recalculate_user=False
        )
        return time.process_time() - begun, at.astype(np.int64)
