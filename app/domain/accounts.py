"""Accounts of staff (工作人员账号): which roles have one, what a password must be, and when a door stays shut.

A password is judged by its length and by whether others would try it, never by kinds of characters (NIST SP 800-63B
section 5.1.1.2, OWASP ASVS 5.0, 6.2).
"""

import re
import unicodedata
from datetime import timedelta

from app.domain.permissions import Role
from app.kit.errors import FieldFault

STAFF_ROLES = (
    Role.BROKER,
    Role.CLERK,
    Role.OFFICER,
    Role.MUNICIPAL,
    Role.AUDITOR,
    Role.SYSTEM_ADMIN,
    Role.SECURITY_ADMIN,
    Role.AUDIT_ADMIN,
)
OF_A_DISTRICT = frozenset({Role.CLERK, Role.OFFICER})
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 128

_LOCK_AFTER = 5
_FIRST_LOCK, _LONGEST_LOCK = timedelta(minutes=15), timedelta(hours=24)

# What lists of stolen passwords begin with, here and abroad; with digits and signs around it, it is no better. Compared
# without case, after the digits that stand for letters have been read as letters.
_TRIED_FIRST = frozenset(
    # As people would write a list of words.
    """
    password passwort passw pass admin administrator root welcome letmein login master secret default changeme guest
    test testing user qwerty qwertyuiop asdf asdfgh asdfghjkl zxcvbn zxcvbnm qazwsx qwer abc abcd abcde abcdef abcabc
    iloveyou monkey dragon sunshine princess football baseball shadow superman batman trustno hello freedom whatever
    computer internet windows server oracle mysql postgres database system manager service office company china
    woaini woaiwojia wodemima mima nihao zhongguo chongqing beijing shanghai xiaoming wangwei zhangwei liwei laopo
    laogong baobei tiankong jiujin jiuye renshe renliziyuan gongzuo caonima aini taobao alibaba huawei weixin
    """.split()  # noqa: SIM905
)
_ROWS = ("0123456789", "qwertyuiop", "asdfghjkl", "zxcvbnm", "abcdefghijklmnopqrstuvwxyz", "qazwsxedcrfvtgbyhnujmikolp")
_LETTERS_OF = str.maketrans("013457@$!", "oieastasi")


def password_faults(password: str, *, code: str) -> list[FieldFault]:
    """What is wrong with a password that somebody chooses for their account; nothing where it will do.

    Args:
        password: as typed.
        code: the account's, which a password must not hold.
    """
    plain = unicodedata.normalize("NFKC", password)
    if len(plain) < SHORTEST_PASSWORD:
        return [FieldFault("password", "password_short", f"密码至少要{SHORTEST_PASSWORD}个字符，可以用一句话")]
    if len(plain) > LONGEST_PASSWORD:
        return [FieldFault("password", "password_long", f"密码最多{LONGEST_PASSWORD}个字符")]
    if code.casefold() in plain.casefold():
        return [FieldFault("password", "password_names_account", "密码里不能有账号")]
    if _is_tried_first(plain.casefold()):
        return [FieldFault("password", "password_common", "这个密码太常见，别人会先试它，请换一个")]
    return []


def locked_for(failures: int) -> timedelta | None:
    """How long an account stays shut after so many wrong tries in a row; None where it does not.

    After each fifth one, twice as long as before, up to a day: guessing becomes hopeless, and who forgot a password is
    not shut out for good by somebody else's tries.
    """
    if failures == 0 or failures % _LOCK_AFTER:
        return None
    doublings = min(failures // _LOCK_AFTER - 1, 10)
    return min(_FIRST_LOCK * (1 << doublings), _LONGEST_LOCK)


def _is_tried_first(plain: str) -> bool:
    # What stands before and behind is left out first, or years and exclamation marks would be read as letters.
    inner = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", plain)
    for text in (plain, inner.translate(_LETTERS_OF)):
        words = [word for word in re.split(r"[\W\d_]+", text) if word]
        rest = "".join(words)
        # Nothing but well-known words, or one of them again and again, with whatever digits between.
        if words and all(_is_made_of(word) for word in words):
            return True
        if rest and _is_made_of(rest):
            return True
    return _repeats(plain) or _is_run(plain)


def _is_made_of(letters: str) -> bool:
    """Whether letters are well-known words one after the other."""
    reached = {0}
    for end in range(1, len(letters) + 1):
        if any(start in reached and letters[start:end] in _TRIED_FIRST for start in range(max(0, end - 20), end)):
            reached.add(end)
    return len(letters) in reached


def _repeats(plain: str) -> bool:
    """Whether a password is a short part again and again: `abcabcabcabc`, `111111111111`."""
    return any(
        plain == (plain[:length] * (len(plain) // length + 1))[: len(plain)] for length in range(1, len(plain) // 3 + 1)
    )


def _is_run(plain: str) -> bool:
    """Whether a password only follows rows of keys or the alphabet, forwards or backwards: `1234qwerasdf`."""
    rows = [*_ROWS, *(row[::-1] for row in _ROWS)]
    at, runs = 0, 0
    while at < len(plain):
        lengths = range(len(plain) - at, 2, -1)
        longest = next((n for n in lengths if any(plain[at : at + n] in row * 2 for row in rows)), 0)
        if not longest:
            return False
        at, runs = at + longest, runs + 1
    return runs <= 4
