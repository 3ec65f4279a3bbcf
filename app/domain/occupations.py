"""Closed lists around occupations: lanes for older workers, and the papers without which the law lets nobody work.

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

_SPELLINGS: dict[str, tuple[str, ...]] = {
    "低压电工作业证": ("电工证", "低压电工证", "电工操作证", "电工作业证", "低压电工操作证"),
    "高压电工作业证": ("高压电工证", "高压电工操作证"),
    "焊接与热切割作业证": ("焊工证", "电焊证", "电焊工证", "焊工操作证", "焊接作业证"),
    "高处作业证": ("登高证", "登高作业证", "高空作业证"),
    "制冷作业证": ("制冷证", "制冷与空调作业证"),
    "爆破作业人员许可证": (),
    "N1": ("叉车证", "N1叉车证", "叉车N1", "叉车操作证", "叉车司机证"),
    "Q1": ("Q1证",),
    "Q2": ("Q2证",),
    "G1": ("G1证",),
    "G2": ("G2证",),
    "T": ("T证",),
    **{
        licence: tuple(f"{licence}{noun}" for noun in ("驾照", "驾驶证", "驾驶执照", "证", "照"))
        for licence in ("A1", "A2", "A3", "B1", "B2", "C1", "C2", "C3", "C4", "D", "E", "F")
    },
    "网约车驾驶员证": ("网约车证", "网络预约出租汽车驾驶员证", "网约车从业资格证"),
    "道路货物运输从业资格证": ("道路货运从业资格证", "货运资格证", "货运从业资格证", "货运从业证"),
    "危险货物运输从业资格证": ("危货从业资格证", "危险品运输从业资格证"),
    "健康证": ("健康证明", "食品健康证"),
    "保安员证": ("保安证", "保安上岗证"),
    "护士执业证": ("护士证", "护士执业证书", "护士资格证"),
    "教师资格证": ("教师证", "教师资格证书"),
    "导游证": ("导游资格证",),
    "消防设施操作员证": ("消控证",),
    "游泳救生员证": ("救生员证",),
    "家畜繁殖员证": (),
    "船员适任证书": ("船员适任证",),
    "渔业船员证书": ("渔业船员证",),
}

KNOWN_CERTIFICATES: dict[str, str] = {
    spelling: name for name, spellings in _SPELLINGS.items() for spelling in (name, *spellings)
}
"""Papers that work may demand because the law does, by their common spellings; the values are the names we store.

特种作业目录 (安监总局令第30号), 特种设备作业人员资格认定分类与项目 (市场监管总局公告2019年第3号),
机动车驾驶证申领和使用规定 (公安部令第162号), 国家职业资格目录 (2021年版), 食品安全法第四十五条 and
公共场所卫生管理条例第七条 for the 健康证.
"""

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
    """The certificates that somebody holds, also by the names we store, and the licence classes that these include."""
    held |= {KNOWN_CERTIFICATES.get(each, each) for each in held}
    return held | {lower for each in held for lower in _LICENCES_INCLUDED.get(each, ())}
