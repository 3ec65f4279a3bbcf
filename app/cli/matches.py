"""`jiujin match`: a ranked list in the terminal, from the same use case as the page and the API."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.api.cards import Fragments
from app.api.matches import answer_out
from app.cli.databases import matchmaker_of
from app.cli.terminal import AsJson, DataFolder, Failed, answer, at_work
from app.domain.postings import PostingKind
from app.domain.workers import Limit, Sex
from app.usecases.areas import AreaUnknown
from app.usecases.matchmaking import MatchAnswer, Matchmaker, Profile, RankedPosting


def match(
    *,
    near: Annotated[str, typer.Option(help="住在哪里：区县或乡镇街道的名字或代码，例如 巫山大昌镇、500237102")],
    wants: Annotated[list[str], typer.Option(help="想找什么活，可以写几次，想做的写在前面")],
    age: Annotated[int, typer.Option(min=1, max=120, help="几岁")],
    sex: Annotated[Sex | None, typer.Option(help="性别", show_default=False)] = None,
    pay: Annotated[int | None, typer.Option(min=0, max=200_000, help="最少要多少，元/月", show_default=False)] = None,
    km: Annotated[float, typer.Option(min=0, max=2_000, help="最远几公里")] = 30,
    kind: Annotated[list[PostingKind] | None, typer.Option(help="只要哪几种工", show_default=False)] = None,
    limit: Annotated[list[Limit] | None, typer.Option(help="做不了什么", show_default=False)] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=50, help="列几条")] = 10,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Rank what is near and fits, each with its reasons; the same answer as `POST /api/v1/match`."""
    with at_work(as_json=as_json, data=data) as house:
        matchmaker = matchmaker_of(house)
        profile = Profile(
            home=_home(matchmaker, near.strip()),
            wants=tuple(wants),
            age=age,
            sex=sex,
            pay_min_yuan_month=pay,
            max_km=km,
            kinds=frozenset(kind or ()),
            limits=frozenset(limit or ()),
        )
        try:
            found = matchmaker.match(profile, k=k, today=house.clock.today())
        except AreaUnknown as fault:
            told = f"--near 填得不对：{fault.detail or fault.title}"
            raise Failed(told, code=fault.code, exit_code=2, **fault.members) from None
        if as_json:
            answer(answer_out(found, Fragments()), "", as_json=True)
        else:
            print_answer(found, Console())


def _home(matchmaker: Matchmaker, near: str) -> str:
    """The code of the place that `--near` names: a code as it is, a name if one place alone bears it."""
    if near.isdecimal():
        return near
    found = matchmaker.places.candidates(near)
    if len(found) == 1:
        return found[0].code
    if not found:
        raise Failed("--near 填得不对：没找到这个地方，请写区县或乡镇街道的名字", code=AreaUnknown.code, exit_code=2)
    told = "、".join(f"{matchmaker.areas.told(area.code)}（{area.code}）" for area in found)
    raise Failed(f"--near 可能是几个地方：{told}。请写其中一个的代码", code="area_ambiguous", exit_code=2)


def print_answer(answer: MatchAnswer, console: Console) -> None:
    """The answer for people: how the words were understood, what was widened, and the list with its reasons."""
    for words in answer.resolved:
        told = f"按“{words.name}”找" if words.occupation else "没有对应的工种，按字面找"
        console.print(f"“{words.text}”：{told}", markup=False)
    for note in (*answer.widened, *answer.notes):
        console.print(note.text, markup=False)
    for each in answer.lacking:
        console.print(f"{each.within_km:g}公里内还有{each.postings}个岗位要有{each.name}", markup=False)
    if not answer.matches:
        if not answer.notes:
            console.print("没有找到合适的岗位。可以打12333问问，或者换个说法再找。")
        return
    table = Table(show_lines=True)
    for heading in ("", "岗位", "工资", "在哪里", "为什么", "留意"):
        table.add_column(heading, overflow="fold")
    for ranked in answer.matches:
        table.add_row(*(Text(cell) for cell in _row(ranked)))
    console.print(table)


def _row(ranked: RankedPosting) -> tuple[str, ...]:
    card = ranked.card
    km = "" if ranked.distance_km is None else f"\n{ranked.distance_km:.1f}公里 {ranked.nearness.label}"
    return (
        str(ranked.rank),
        f"{card.title}\n{card.kind.label}",
        card.pay_text,
        f"{card.area_name}{km}",
        "\n".join(note.text for note in ranked.reasons),
        "\n".join(note.text for note in ranked.cautions),
    )
