"""What people with a history turn to next: a walk with restart over who applied where, told apart from mere popularity.

    s = row-normalised X
    r <- restart * s + (1 - restart) * r * (P_item->user * P_user->item), `steps` times from r = s
    score = r / popularity ^ discount

X (users, items) are applications or starts, P_user->item its rows and P_item->user its columns scaled to sum to one,
`popularity` the sums of its columns. A relative of RP3beta (Paudel et al., ACM TiiS 7(1), 2016), with restarts and more
than three steps. `blended` puts the walk beside a match score by how much history there is.
"""

from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

Scores: TypeAlias = NDArray[np.float32]
Csr: TypeAlias = "sparse.csr_array[Any, tuple[int, int]]"
Table: TypeAlias = sparse.csr_array | sparse.csr_matrix

BLOCK_BYTES = 16 << 20
HALF_HISTORY = 5.0


@dataclass(frozen=True, slots=True)
class _Graph:
    """What a walk goes along: from users to items (users, items), and both steps turned so that columns are people."""

    starts: Csr
    back: Csr
    onwards: Csr
    worth: Scores


class WalkRecommender:
    """A walk of `steps` steps that goes home with the chance `restart`; `discount` takes popularity off.

    Raises ValueError for a restart or discount outside 0-1, or steps that are no whole number from 0 on.
    """

    def __init__(self, *, restart: float = 0.2, steps: int = 8, discount: float = 0.25) -> None:
        if not 0 <= restart <= 1 or not 0 <= discount <= 1:
            raise ValueError(f"restart and discount lie in 0-1: {restart}, {discount}")
        if steps < 0 or steps != int(steps):
            raise ValueError(f"steps are a whole number from 0 on: {steps}")
        self.restart, self.steps, self.discount = float(restart), int(steps), float(discount)
        self._graph: _Graph | None = None

    def fit(self, interactions: Table) -> Self:
        """Take hold of who turned to what: a scipy CSR (users, items), each entry how often or how much.

        Raises ValueError where it is not such a table, or holds something negative or not finite.
        """
        if not sparse.issparse(interactions):
            raise ValueError("interactions must be a sparse table (users, items)")
        table: Csr = sparse.csr_array(interactions).astype(np.float64)
        if not np.all(np.isfinite(table.data)) or np.any(table.data < 0):
            raise ValueError("interactions must be finite and not negative")
        table.eliminate_zeros()
        popularity = np.asarray(table.sum(axis=0))
        worth = np.zeros(len(popularity))
        worth[popularity > 0] = popularity[popularity > 0] ** -self.discount
        starts, back = _row_normalised(table), _row_normalised(sparse.csr_array(table.T))
        self._graph = _Graph(starts, sparse.csr_array(back.T), sparse.csr_array(starts.T), worth.astype(np.float32))
        return self

    def scores(self, users: ArrayLike) -> Scores:
        """Scores (len(users), items) of the users at these rows; zeros for who has no history.

        Raises ValueError before `fit`, and for a user there is none of.
        """
        graph, wanted = self._asked(users)
        scores = np.zeros((len(wanted), len(graph.worth)), np.float32)
        for block in _blocks(graph, len(wanted)):
            scores[block] = self._walk(graph, wanted[block])
        return scores

    def best(self, users: ArrayLike, keep: int, *, exclude: Table | None = None) -> Csr:
        """The `keep` best positive scores of each user as a CSR (len(users), items), where a full table is too large.

        `exclude` (len(users), items): what must not be among them, such as what somebody has applied for already. Of
        equal scores at the edge the lowest item stays. Raises ValueError as `scores` does, and for another shape.
        """
        graph, wanted = self._asked(users)
        shape = (len(wanted), len(graph.worth))
        if keep < 1:
            raise ValueError(f"keep at least one: {keep}")
        if exclude is not None and exclude.shape != shape:
            raise ValueError(f"exclude must have the shape {shape}: {exclude.shape}")
        barred: Csr = sparse.csr_array(shape) if exclude is None else sparse.csr_array(exclude)
        kept = [_best_of(np.zeros((0, shape[1]), np.float32), keep)]
        for block in _blocks(graph, len(wanted)):
            scores = self._walk(graph, wanted[block])
            scores[barred[block].nonzero()] = 0
            kept.append(_best_of(scores, keep))
        return sparse.csr_array(sparse.vstack(kept))

    def _asked(self, users: ArrayLike) -> tuple[_Graph, NDArray[np.int64]]:
        if self._graph is None:
            raise ValueError("fit the walk to interactions first")
        wanted, there = np.asarray(users), self._graph.starts.shape[0]
        if wanted.ndim != 1 or (wanted.size and not np.issubdtype(wanted.dtype, np.integer)):
            raise ValueError(f"users are row numbers of shape (n,): {wanted.dtype}, {wanted.shape}")
        if np.any((wanted < 0) | (wanted >= there)):
            raise ValueError(f"there are {there} users, counted from 0")
        return self._graph, wanted.astype(np.int64)

    def _walk(self, graph: _Graph, users: NDArray[np.int64]) -> Scores:
        start = graph.starts[users].T.toarray()
        reached = start
        start = start * np.float32(self.restart)
        for _ in range(self.steps):
            reached = graph.onwards @ (graph.back @ reached)
            reached *= np.float32(1 - self.restart)
            reached += start
        return np.ascontiguousarray((reached * graph.worth[:, None]).T)


def blended(
    match_scores: ArrayLike, walk_scores: ArrayLike, history: ArrayLike, *, half: float = HALF_HISTORY
) -> Scores:
    """Match and walk scores (n, items) as one: the walk's share is history / (history + half), `history` (n,) a count.

    Both are first made comparable by rank, person by person: a posting's rank score is the share of the person's
    scored postings that it does not stand behind, equal ones sharing the mean, so the best has about 1. What a match
    score of zero keeps from a person (a bar, out of reach) the walk does not bring back: it stays zero. Nothing in a
    history, the match alone counts; with `half` applications both count alike.
    Raises ValueError for shapes that do not go together, anything negative or not finite, or half <= 0.
    """
    match, walk, counts = (np.asarray(each, np.float64) for each in (match_scores, walk_scores, history))
    if match.ndim != 2 or match.shape != walk.shape or counts.shape != match.shape[:1]:
        raise ValueError(f"scores (n, items) twice and history (n,): {match.shape}, {walk.shape}, {counts.shape}")
    if not all(np.all(np.isfinite(each)) and np.all(each >= 0) for each in (match, walk, counts)) or not half > 0:
        raise ValueError("scores and counts must be finite and not negative, half above zero")
    share = (counts / (counts + half))[:, None]
    mixed = share * _rank_scores(walk) + (1 - share) * _rank_scores(match)
    return np.where(match > 0, mixed, 0).astype(np.float32)


def _rank_scores(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores (n, items) as their mean ranks among the person's positive ones, scaled to end at 1; zero stays zero."""
    from scipy.stats import rankdata  # noqa: PLC0415 - half a second that only a blend pays

    zeros = np.count_nonzero(scores <= 0, axis=1)[:, None]
    scored = np.maximum(scores.shape[1] - zeros, 1)
    ranks = (rankdata(scores, axis=1) - zeros) / scored
    return np.where(scores > 0, ranks, 0)


def _row_normalised(table: Csr) -> Csr:
    sums = np.asarray(table.sum(axis=1))
    shares = table.data / np.repeat(sums, np.diff(table.indptr))
    return sparse.csr_array((shares.astype(np.float32), table.indices, table.indptr), shape=table.shape)


def _blocks(graph: _Graph, people: int) -> list[slice]:
    """People cut so that a step, a number for each of them at each user and item, stays within `BLOCK_BYTES`."""
    size = max(16, BLOCK_BYTES // (4 * max(1, sum(graph.starts.shape))))
    return [slice(begin, begin + size) for begin in range(0, people, size)]


def _best_of(scores: Scores, keep: int) -> Csr:
    """The `keep` best positive scores of each row; equal ones by column."""
    if keep < scores.shape[1]:
        edge = np.partition(scores, -keep, axis=1)[:, [-keep]]
        above, at_edge = scores > edge, scores == edge
        room = keep - np.count_nonzero(above, axis=1)[:, None]
        scores = np.where(above | (at_edge & (np.cumsum(at_edge, axis=1) <= room)), scores, 0)
    return sparse.csr_array(scores)
