"""The weights of the score, published: what counts how much, and the going rates and detours that enter it.

Nobody fixed these figures. They are judgements, the prior that serves until outcomes teach better ones; `published`
tells them to people. Two sums: the chance that an application ends in work, and what the work is worth to the person.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedWeight:
    """One line of the published score: `group` is "factor", "chance" or "worth".

    `share` is the part's share of its sum; a factor multiplies one of the sums and has the share 1.
    """

    name: str
    group: str
    label: str
    share: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChanceWeights:
    """Shares of what makes it likely that an application ends in work; they are scaled to sum to one."""

    experience: float = 0.20
    education: float = 0.16
    room: float = 0.20
    reply: float = 0.18
    trust: float = 0.10
    programme: float = 0.16

    def __post_init__(self) -> None:
        _check_shares(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorthWeights:
    """Shares of what makes the work worth having; they are scaled to sum to one."""

    pay: float = 0.30
    near: float = 0.30
    start: float = 0.08
    keep: float = 0.07
    insurance: float = 0.06
    kind: float = 0.05
    ease: float = 0.08
    hours: float = 0.03
    open_to_all: float = 0.03

    def __post_init__(self) -> None:
        _check_shares(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Everything besides people and postings that enters a score.

    `closeness[(a, b)]`, 0-1, is how well somebody who wants occupation `a` is served by `b`; a pair that is not named
    falls back on the tree in the codes (see `tree_closeness`). `going_rates[code]` is the usual pay of an occupation
    in yuan a month, `detours[township]` how many times longer the road to a place is than the straight line. `daily_km`
    by road is how far people go to work and back every day; beyond it a posting loses worth with each kilometre.
    """

    chance: ChanceWeights = field(default_factory=ChanceWeights)
    worth: WorthWeights = field(default_factory=WorthWeights)
    skill_floor: float = 0.05
    later_want: float = 0.9
    without_words: float = 0.85
    named_share: float = 0.6
    text_share: float = 0.5
    unknown_skill: float = 0.3
    closeness: Mapping[tuple[str, str], float] = field(default_factory=dict)
    going_rates: Mapping[str, float] = field(default_factory=dict)
    going_rate_yuan_month: float = (
        4961.0  # 国家统计局，2024年农民工监测调查报告: mean monthly income of migrant workers
    )
    bait_multiple: float = 3.0
    decay_km: float = 15.0
    daily_km: float = 40.0
    detour: float = 1.4
    detours: Mapping[str, float] = field(default_factory=dict)
    district_floor_km: float = 5.0
    travel_km_hour: float = 25.0

    def usual_pay(self, occupation: str | None) -> float:
        """The going rate of an occupation in yuan a month; of an unknown one the general one."""
        return self.going_rates.get(occupation or "", self.going_rate_yuan_month)

    def __post_init__(self) -> None:
        if not (self.decay_km > 0 and self.daily_km > 0):
            raise ValueError("distances that score must be above zero")

    def published(self) -> list[PublishedWeight]:
        """Every part with its share, the factors first, then in the order of the sums, for a page that people read."""
        lines = [
            PublishedWeight(name="skill", group="factor", label="对不对口", share=1.0, text=_SKILL_TOLD),
            PublishedWeight(
                name="commute", group="factor", label="能不能天天回家", share=1.0, text=_commute_told(self.daily_km)
            ),
        ]
        for group, shares in (("chance", self.chance), ("worth", self.worth)):
            total = sum(getattr(shares, part.name) for part in fields(shares))
            for part in fields(shares):
                label, text = _TOLD[part.name]
                lines.append(
                    PublishedWeight(
                        name=part.name, group=group, label=label, share=getattr(shares, part.name) / total, text=text
                    )
                )
        return lines


SAME_GROUP, SAME_FAMILY = 0.6, 0.3


def tree_closeness(wanted: str, offered: str) -> float:
    """Closeness of two occupation codes by the tree that their segments form: 1 same, 0.6 same group, 0.3 same family.

    Codes are opaque; where they are written in segments (`4-09-08-01`), shared leading segments are kinship. Sharing
    all but the last one is the same group (小类), all but the last two the same family (中类); less is none.
    """
    if wanted == offered:
        return 1.0
    left, right = wanted.split("-"), offered.split("-")
    if len(left) != len(right) or len(left) < 3:
        return 0.0
    if left[:-1] == right[:-1]:
        return SAME_GROUP
    return SAME_FAMILY if left[:-2] == right[:-2] else 0.0


def _check_shares(shares: ChanceWeights | WorthWeights) -> None:
    values = [getattr(shares, part.name) for part in fields(shares)]
    if any(value < 0 for value in values) or not sum(values) > 0:
        raise ValueError("shares must not be negative and not all zero")


_SKILL_TOLD = "正是你要找的活算满分，相近的少算，不沾边的几乎不算；岗位名字就是你说的那几个字，排在最前"


def _commute_told(daily_km: float) -> str:
    return f"山路来回，单程{daily_km:g}公里以内不减；再远，路多一倍，分减一半"


_TOLD = {
    "experience": ("工龄", "岗位要求的年限够不够；没写要求算够"),
    "education": ("学历", "岗位要求的学历够不够；没写要求算够"),
    "room": ("名额", "还招的人数，对已经推荐去的人数"),
    "reply": ("回话", "这家单位以往回复求职者的比例；没有记录算一半"),
    "trust": ("核实", "单位是不是核实过"),
    "programme": ("优先安排", "以工代赈等岗位先安排脱贫人口，再安排就业困难人员"),
    "pay": ("工资", "对照你要的工资，没说就对照这一行的一般工资；高得不可信的不加分"),
    "near": ("离家远近", "离家（或现在住处）越近越好，按山路绕行折算"),
    "start": ("上岗时间", "开工日子和你能上岗的日子差几天"),
    "keep": ("包吃住", "管饭、管住"),
    "insurance": ("保险", "有没有工伤等保险"),
    "kind": ("稳定", "长期、全职的在前；你点名要的种类都算满分"),
    "ease": ("轻重", "体力轻的在前，对所有人一样算"),
    "hours": ("下班时间", "你说了几点前要到家时，看赶不赶得上"),
    "open_to_all": ("不卡年龄", "没有法定理由却限年龄的岗位排在后面，对所有人一样算"),
}
