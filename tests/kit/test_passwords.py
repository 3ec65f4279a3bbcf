"""Passwords as they are kept."""

from app.kit.passwords import hash_password, is_password


def test_a_password_is_kept_so_that_it_can_be_told_and_not_read() -> None:
    kept = hash_password("乡下的桂花树开了")
    assert "桂花" not in kept
    assert kept.startswith("$argon2id$")
    assert kept != hash_password("乡下的桂花树开了")
    assert is_password("乡下的桂花树开了", kept)
    assert not is_password("乡下的桂花树", kept)
    assert is_password("ａｂｃ１２３ plum tree", hash_password("abc123 plum tree"))


def test_nothing_kept_is_nobodys_password() -> None:
    assert not is_password("", None)
    assert not is_password("anything", None)
