"""How acts in the audit are told to the person whom they concern: what was done, by whom, what for, in plain words.

Of staff the role and the office are told, never a name: the law asks who handled what (PIPL 44-45), the audit knows
which account it was, and whoever thinks that it was wrong can have it looked into.
"""

from app.domain.audit import LIST_REASON, LOOK_REASON
from app.domain.consents import Purpose
from app.domain.grants import GrantReason, UnmaskReason
from app.domain.ledger import Channel
from app.domain.permissions import Role

_DEEDS = {
    "read_identity": "看了您的姓名、证件号和电话",
    "unmask_worker": "看了您完整的姓名、证件号和电话",
    "break_glass": "别的区县应急查看您的资料，两小时",
    "assist_at_kiosk": "在驿站帮您登录",
    "read_note": "看了谈话记录",
    "register_status": "给您登记了身份",
    "end_status": "结束了您的一项登记",
    "give_consent": "记下您同意",
    "end_consent": "记下您不同意了",
    "finish_follow_up": "办完了您要的回电",
    "log_in": "用手机验证码登录",
    "change_profile": "改了找活的情况",
    "change_settings": "改了推荐的设置",
    "correct_identity": "更正了身份信息",
    "export_own_data": "下载了全部资料",
    "erase_worker": "注销了账号",
}
_REASONS: dict[str, str] = {
    LIST_REASON: "翻看名单，只看到姓",
    LOOK_REASON: "看您的情况，只看到姓和号码的头尾",
    **{reason.value: reason.label for reason in (*UnmaskReason, *GrantReason)},
    "push by sms": "给您发短信",
    "push by voice": "给您打语音电话",
    "print a slip": "给您打印岗位单子",
    "choose_oneself": "这个手机号登录时分清是谁",
    "own_data": "您自己看",
    "export": "您自己下载",
    "correct_identity": "更正身份信息",
}
_MACHINES = {
    "dispatch": "系统（发送消息）",
    "system": "系统",
    "phone": "登录的手机",
    "worker": "您本人",
    "test": "系统",
    "office": "办公室",
}


def told_deed(action: str) -> str:
    """What was done; an act that has no words here is told as having handled the person's data."""
    return _DEEDS.get(action, "处理了您的资料")


def told_reason(action: str, detail: str) -> str:
    """What for, "" where the act says it by itself. The detail of an act is never shown as it stands."""
    if action in ("give_consent", "end_consent"):
        parts = detail.split()
        channels = [each.label for each in Channel if each.value in parts]
        purposes = [each.label for each in Purpose if each.value in parts]
        return "，".join([*purposes, *channels])
    return _REASONS.get(detail, "")


def told_actor(actor: str, *, own_id: int) -> str:
    """Who it was: the person, a machine, or a role and its office."""
    kind, _, number = actor.partition("/")
    if kind == Role.SEEKER.value:
        return "您本人" if number == str(own_id) else "共用这个手机号的人"
    if kind in _MACHINES:
        return _MACHINES[kind]
    role = next((each for each in Role if each.value == kind), None)
    return "工作人员" if role is None else role.label
