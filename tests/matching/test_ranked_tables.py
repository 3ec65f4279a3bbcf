"""A table of lists keeps its shape: padded at the end, read-only, ids beside scores."""

import numpy as np
import pytest

from matching import RankedTable


def test_lists_of_unequal_length_are_padded_at_their_end() -> None:
    table = RankedTable(np.array([[7, 3], [5, -1], [-1, -1]]), np.array([[0.9, 0.5], [0.4, 0], [0, 0]]))
    assert len(table) == 3
    assert table.k == 2
    assert table.lengths.tolist() == [2, 1, 0]
    assert table.ids.dtype == np.int64
    assert table.scores.dtype == np.float32


def test_a_table_cannot_be_written_to_and_leaves_the_given_arrays_alone() -> None:
    ids, scores = np.array([[1]], np.int64), np.array([[0.5]], np.float32)
    table = RankedTable(ids, scores)
    with pytest.raises(ValueError, match="read-only"):
        table.ids[0, 0] = 2
    with pytest.raises(ValueError, match="read-only"):
        table.scores[0, 0] = 2
    ids[0, 0] = scores[0, 0] = 1


@pytest.mark.parametrize(
    ("ids", "scores", "told"),
    [
        ([[1, 2]], [[0.1]], "one shape"),
        ([1, 2], [0.1, 0.2], "one shape"),
        ([[-1, 2]], [[0.0, 0.2]], "behind a -1"),
    ],
)
def test_a_table_that_is_none_is_told(ids: list[list[int]], scores: list[list[float]], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        RankedTable(np.array(ids), np.array(scores))
