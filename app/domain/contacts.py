"""Who to ask for and where to call, as listings write it: found, so that a listing of the past names nobody.

Names and numbers are looked for by what stands around them. A thing that is no contact must stay: pay, hours, ages,
dates, addresses, and ID numbers, for which a posting goes to review (`app.domain.postings.screen`).
"""

import re
import unicodedata
from collections.abc import Sequence

CONTACTS_CONCEALED = "（联系方式已隐去）"

_COUNTRY = r"(?:(?:\+|00)?86[-\s]?)?"
# A mobile number in pieces has one and the same sign between them: 1800-2200 300 is pay.
_MOBILE = (
    r"1[3-9]\d{9}|1[3-9]\d(?P<a>[-\s.])\d{4}(?P=a)\d{4}|1[3-9]\d{2}(?P<b>[-\s.])\d{3}(?P=b)\d{4}"
    r"|1[3-9]\d[-\s]\d{8}|1[3-9]\d{5}[-\s]\d{4}"
)
# Shifts are written 0800-1200 1400-1800, so only after a short area code a number may be in pieces.
_LANDLINE = r"(?:\(0(?:10|2\d)\)|0(?:10|2\d))[-\s]?\d{3,4}[-\s]?\d{4}|(?:\(0[3-9]\d{2}\)|0[3-9]\d{2})[-\s]?\d{7,8}"
_EXTENSION = r"(?:\s*(?:转|-)\s*\d{1,5})?"
_CHAT = r"(?:微信|威信|薇信|加\s*v(?:信|x)?|(?<![a-z])(?:wechat|weixin|v信|vx|wx|qq)(?![a-z])|扣扣)群?\s*"
_NO_ID_NUMBER = r"(?!\d{17}[\dx])"  # it sends a posting to review, and must be found there
_NUMBERS = tuple(
    re.compile(pattern, re.ASCII | re.IGNORECASE)
    for pattern in (
        rf"(?<!\d)(?P<hidden>{_COUNTRY}(?:{_MOBILE}))(?!\d)",
        rf"(?<!\d)(?P<hidden>{_COUNTRY}(?:{_LANDLINE}){_EXTENSION})(?!\d)",
        rf"(?:电话|座机|固话|热线|联系方式|致电|拨打)(?:号码?)?\s*(?:[:是]\s*)?(?P<hidden>\d{{7,8}}{_EXTENSION})(?!\d|元)",
        r"(?<![\w.+-])(?P<hidden>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)",
        rf"{_CHAT}(?:(?:号码?|账号|同号|id)\s*(?:[:是为]\s*)?|[:是为]\s*)(?P<hidden>{_NO_ID_NUMBER}[a-z\d][\w-]{{4,19}})(?![\w-])",
        # 微信Python3开发 is a trade: without a colon an account has two digits or a line below.
        rf"{_CHAT}(?P<hidden>{_NO_ID_NUMBER}(?=(?:[\w-]*\d){{2}}|[\w-]*_)[a-z\d][\w-]{{5,19}})(?![\w-]|元)",
    )
)

_SURNAME = (
    "[王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧肖程曹袁邓许傅付沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴"
    "夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文庞樊兰殷施陶洪翟安颜"
    "倪严牛温芦季俞章鲁葛伍韦申尤毕聂焦向柳邢路岳齐梅莫庄辛管祝左涂谷祁时舒耿牟卜詹关苗凌费纪靳盛童欧甄项曲成游阳裴"
    "席卫查屈鲍覃霍翁甘景单包柏宁柯阮桂闵冉蒲谯代]"
)
_HANZI = r"[\u4e00-\u9fff]"
_COURTESY = "先生|女士|小姐"
_TITLE = rf"(?:{_COURTESY}|经理|主管|主任|总监|老师|老板|店长|队长|厂长|部长|校长|师傅|大姐|姐|哥|总)"
# 高级经理 is nobody: with a given name between only a word that is never a post.
_PERSON = rf"{_SURNAME}(?:{_TITLE}|{_HANZI}{{1,2}}(?:{_COURTESY}))"
_NAME_END = r"(?=[^\u4e00-\u9fff]|$|电话|手机|微信)"
_AND_PHONE = r"(?:姓名|[及和与、/]?(?:联系)?(?:电话|方式|手机)(?:号码)?)?\s*:\s*"
_NUMBER_FOLLOWS = r"(?=[\s,、]*(?:(?:联系)?(?:电话|手机|微信)|1[3-9]\d{3}|0\d{2}))"
_GIVEN = rf"(?:{_HANZI}{{0,2}}?{_TITLE}|{_HANZI}{{1,3}}?{_NAME_END})"
_NAMES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"联系人{_AND_PHONE}(?P<hidden>(?!电话|手机|微信|[无见])(?:{_HANZI}{_GIVEN}|{_SURNAME}{_HANZI}{{1,2}}))",
        # 联系人事部 names nobody.
        rf"联系人\s*(?:[是为]\s*)?(?P<hidden>{_SURNAME}{_GIVEN})",
        # 负责人：高中以上 is a post and what it asks.
        rf"(?:负责人|经办人){_AND_PHONE}(?P<hidden>{_SURNAME}(?:{_HANZI}{{0,2}}?{_TITLE}|{_HANZI}{{1,2}}){_NUMBER_FOLLOWS})",
        rf"(?:联系|找|咨询|询问|致电)\s*(?::\s*)?(?P<hidden>{_PERSON})",
    )
)
# The shortest first: in 五险一金王经理 the name is 王经理.
_NAMES_BEFORE = tuple(
    re.compile(rf"(?P<hidden>{_SURNAME}{_HANZI}{{{given}}}{_TITLE}[\s:,(、]*(?:(?:电话|手机|微信)号?码?)?[\s:]*)$")
    for given in range(3)
)
_NAME_AFTER = re.compile(rf"[\s:,、]*(?P<hidden>\(?{_PERSON}\)?)")
_LONGEST_NAME = 24  # signs in front of a number in which a name is looked for
_BETWEEN = re.compile(r"[\s,、;:/]{0,3}")


def conceal_contacts(text: str) -> str:
    """A text with a mark in place of phone numbers, WeChat and QQ accounts, e-mail addresses and people to ask for.

    A name is known by what stands around it: 联系人：, 找王经理, or a title beside a number. All else stays as it is:
    pay, hours, ages, dates and addresses, and ID numbers, which `screen` finds.
    """
    # One sign for one, so that what is found here is found in the text at the same place.
    plain = "".join(folded if len(folded := unicodedata.normalize("NFKC", sign)) == 1 else sign for sign in text)
    numbers = sorted(found.span("hidden") for pattern in _NUMBERS for found in pattern.finditer(plain))
    hidden = numbers + [found.span("hidden") for pattern in _NAMES for found in pattern.finditer(plain)]
    for start, end in numbers:
        begin = max(0, start - _LONGEST_NAME)
        before = (pattern.search(plain[begin:start]) for pattern in _NAMES_BEFORE)
        if name := next(filter(None, before), None):
            hidden.append((begin + name.start("hidden"), start))
        if name := _NAME_AFTER.match(plain, end):
            hidden.append((end, name.end("hidden")))
    return _with_marks(text, plain, sorted(hidden))


def _with_marks(text: str, plain: str, hidden: Sequence[tuple[int, int]]) -> str:
    """The text with each stretch (start, end) replaced; one mark for those that lie side by side."""
    parts: list[str] = []
    shown_to = 0
    for start, end in hidden:
        if not parts or (start > shown_to and not _BETWEEN.fullmatch(plain, shown_to, start)):
            parts += [text[shown_to:start], CONTACTS_CONCEALED]
        shown_to = max(shown_to, end)
    return "".join([*parts, text[shown_to:]])
