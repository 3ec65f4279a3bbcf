"""Employers: what kind they are, and whether a unified social credit code can exist."""

from enum import StrEnum

_SOCIAL_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_SOCIAL_CREDIT_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_SOCIAL_CREDIT_LENGTH = 18


class EmployerKind(StrEnum):
    """Who offers the work."""

    FIRM = "firm"
    HOUSEHOLD = "household"
    PROJECT = "project"
    WORKSHOP = "workshop"
    PUBLIC_BODY = "public_body"

    @property
    def label(self) -> str:
        return {
            "firm": "企业",
            "household": "个人或家庭",
            "project": "工程项目",
            "workshop": "帮扶车间",
            "public_body": "单位或村（社区）",
        }[self.value]


def is_social_credit_code(code: str) -> bool:
    """Whether `code` is 18 characters with a right check character (GB 32100-2015, section 5)."""
    if len(code) != _SOCIAL_CREDIT_LENGTH or any(char not in _SOCIAL_CREDIT_ALPHABET for char in code):
        return False
    total = sum(
        _SOCIAL_CREDIT_ALPHABET.index(char) * weight for char, weight in zip(code, _SOCIAL_CREDIT_WEIGHTS, strict=False)
    )
    return _SOCIAL_CREDIT_ALPHABET[(31 - total % 31) % 31] == code[-1]
