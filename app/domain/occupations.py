"""Closed lists around occupations: the lanes in which older workers are led to work.

Codes are those of the 2022 classification (中华人民共和国职业分类大典 2022年版), e.g. "4-07-05-01" 保安员.
"""

from enum import StrEnum


class Lane(StrEnum):
    """Families of posts for older workers: four named by the plan's clause 8.1, and further light posts."""

    SECURITY = "security"
    CLEANING = "cleaning"
    WAREHOUSE = "warehouse"
    SORTING = "sorting"
    LIGHT = "light"

    @property
    def label(self) -> str:
        return {
            "security": "保安值守",
            "cleaning": "保洁",
            "warehouse": "仓库管理",
            "sorting": "物料整理",
            "light": "其他轻活",
        }[self.value]


class AliasKind(StrEnum):
    """Where an alias comes from: the classification's own name, one of its 工种, or what people say."""

    NAME = "name"
    WORK_TYPE = "work_type"
    EVERYDAY = "everyday"


PHYSICAL_LEVEL_LABELS = {1: "轻活", 2: "中等活", 3: "重活", 4: "很重的活"}
"""Physical work intensity I-IV of GB/T 3869-1997, in words a job-seeker uses."""

OBTAINED_ON_HIRING = frozenset({"健康证", "保安员证"})
"""Certificates that the law asks for but that an employer has a new person obtain; they are told and do not bar."""

_LICENCES_INCLUDED = {
    # 机动车驾驶证申领和使用规定 (公安部令第162号) annex 1: which classes a class of licence may also drive
    "A1": ("A3", "B1", "B2", "C1", "C2", "C3", "C4"),
    "A2": ("B1", "B2", "C1", "C2", "C3", "C4"),
    "A3": ("C1", "C2", "C3", "C4"),
    "B1": ("C1", "C2", "C3", "C4"),
    "B2": ("C1", "C2", "C3", "C4"),
    "C1": ("C2", "C3", "C4"),
    "D": ("E", "F"),
    "E": ("F",),
}


def certificates_covered(held: frozenset[str]) -> frozenset[str]:
    """The certificates that somebody holds, with the driving-licence classes that a higher class includes."""
    return held | {lower for each in held for lower in _LICENCES_INCLUDED.get(each, ())}
