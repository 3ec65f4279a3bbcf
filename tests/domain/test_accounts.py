"""Passwords that will do and such as others try first; how long a door stays shut."""

from datetime import timedelta

import pytest

from app.domain.accounts import locked_for, password_faults


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("short", "password_short"),
        ("x" * 129, "password_long"),
        ("my-wang-01-house", "password_names_account"),
        ("passwordpassword", "password_common"),
        ("P@ssw0rd2026!!", "password_common"),
        ("woaini1314520", "password_common"),
        ("Chongqing2026", "password_common"),
        ("aaaaaaaaaaaaaa", "password_common"),
        ("abc1abc1abc1abc1", "password_common"),
        ("123456789012", "password_common"),
        ("qwertyuiopasdfgh", "password_common"),
        ("1qaz2wsx3edc", None),  # a walk over the keys that no list of rows holds; length and lock-out guard it
        ("乡下的桂花树开了第三次花", None),
        ("correct horse battery staple", None),
        ("Tk7-ueR9qq-mmp2", None),
    ],
)
def test_a_password_is_judged_by_length_and_by_whether_others_would_try_it(password: str, fault: str | None) -> None:
    assert [each.code for each in password_faults(password, code="wang-01")] == ([] if fault is None else [fault])


def test_each_fifth_wrong_try_shuts_the_door_twice_as_long_and_never_for_good() -> None:
    assert [locked_for(number) for number in range(6)] == [None] * 5 + [timedelta(minutes=15)]
    assert locked_for(10) == timedelta(minutes=30)
    assert locked_for(15) == timedelta(hours=1)
    assert locked_for(30_000) == timedelta(hours=24)
