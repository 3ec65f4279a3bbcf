"""Identity numbers, names and phones: is it one, and what of it may stand on a screen.

The place code of an ID number is never judged: people born in the 1960s carry Sichuan codes that no longer exist.
"""

import re
import unicodedata
from datetime import date

_ID_NUMBER = re.compile(r"[1-9]\d{16}[\dX]", re.ASCII)
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECK = "10X98765432"
_MOBILE = re.compile(r"1[3-9]\d{9}", re.ASCII)
_EARLIEST_BIRTH = date(1900, 1, 1)


def normalise_id_number(text: str) -> str:
    """The number in half-width characters, without spaces and dashes, with a capital X; nothing is judged."""
    return re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", text)).upper().replace("×", "X")


def is_id_number(number: str, *, today: date) -> bool:
    """Whether an 18-digit number has a real birth date and a right check digit (GB 11643-1999)."""
    return _ID_NUMBER.fullmatch(number) is not None and _has_real_date(number, today) and id_check(number) == number[-1]


def id_check(number: str) -> str:
    """The check character for the first 17 digits of `number` (GB 11643-1999, ISO 7064 MOD 11-2)."""
    return _ID_CHECK[sum(int(digit) * weight for digit, weight in zip(number[:17], _ID_WEIGHTS, strict=True)) % 11]


def birth_date_of(number: str) -> date:
    """Birth date written in an ID number; ValueError when it is not a date."""
    return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))


def sex_of(number: str) -> str:
    """The sex, "male" or "female", in the parity of the sequence digit (GB 11643-1999)."""
    return "male" if int(number[16]) % 2 else "female"


def _has_real_date(number: str, today: date) -> bool:
    try:
        return _EARLIEST_BIRTH <= birth_date_of(number) <= today
    except ValueError:
        return False


def normalise_phone(text: str) -> str:
    """The phone number's half-width digits without spaces, dashes and the country code; nothing is judged."""
    digits = re.sub(r"[\s\-()]", "", unicodedata.normalize("NFKC", text))
    return re.sub(r"^(?:\+|00)?86(?=1\d{10}$)", "", digits)


def is_mobile_phone(number: str) -> bool:
    """Whether it is an 11-digit mobile number of mainland China."""
    return _MOBILE.fullmatch(number) is not None


def mask_name(name: str) -> str:
    """`张*`: the first character of a name, the rest hidden."""
    return name[:1] + "*" * max(1, len(name) - 1) if name else ""


def mask_id_number(number: str) -> str:
    """`5*****************`: the first digit, the rest hidden."""
    return number[:1] + "*" * (len(number) - 1) if number else ""


def mask_phone(number: str) -> str:
    """`138****1234`: the first three and the last four digits of a mobile number; of another one nothing."""
    return f"{number[:3]}****{number[-4:]}" if is_mobile_phone(number) else "*" * len(number)
