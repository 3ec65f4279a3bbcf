"""Which rows name one job: alike titles lead to one posting, and what was reckoned once is not reckoned again."""

from app.usecases.folds import Folds, Lead

ROWS = ((2, "小区保安"), (3, "小区保安"), (4, "保洁"))


def test_rows_lead_to_what_is_stored_to_an_earlier_row_or_to_themselves() -> None:
    assert Folds().find("a", stored=((7, "【急招】保洁"),), rows=ROWS) == [Lead(row=2), Lead(row=2), Lead(id=7)]


def test_the_same_question_is_answered_from_memory() -> None:
    folds = Folds()
    first = folds.find("a", stored=(), rows=ROWS)
    assert folds.find("a", stored=(), rows=tuple(ROWS)) is first


def test_what_has_changed_is_reckoned_anew() -> None:
    folds = Folds()
    folds.find("a", stored=(), rows=ROWS)
    assert folds.find("b", stored=(), rows=ROWS[2:]) == [Lead(row=4)]
    assert folds.find("a", stored=(), rows=ROWS[1:]) == [Lead(row=3), Lead(row=4)]
    assert folds.find("a", stored=((7, "小区保安"),), rows=ROWS[1:]) == [Lead(id=7), Lead(row=4)]
    assert folds.find("a", stored=((8, "小区保安"),), rows=ROWS[1:]) == [Lead(id=8), Lead(row=4)]
