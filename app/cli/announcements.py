"""`jiujin push announce`: what the village loudspeaker reads and what is put on the wall. Counts for nobody."""

from typing import Annotated

import typer

from app.cli.databases import matchmaker_of
from app.cli.terminal import AsJson, DataFolder, answer, at_work
from app.usecases.announcements import announce_near

NEAR_KM = 20.0


def announce(
    *,
    near: Annotated[str, typer.Option("--near", metavar="代码", help="在哪个乡镇（街道）播、贴，九位代码")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=20, help="几个岗位")] = 3,
    within_km: Annotated[float, typer.Option("--within-km", min=1, max=200, help="多远以内，公里")] = NEAR_KM,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write the texts of the nearest postings. Changes nothing."""
    with at_work(as_json=as_json, data=data) as house:
        matchmaker = matchmaker_of(house)
        found = announce_near(matchmaker, near, number=limit, within_km=within_km, today=house.clock.today())
        document = {
            "announcements": [
                {"posting": each.posting_id, "spoken": each.spoken, "notice": each.notice} for each in found
            ]
        }
        words = "\n\n".join(f"【广播】{each.spoken}\n\n【张贴】\n{each.notice}" for each in found)
        answer(document, words or f"{within_km:g} 公里以内没有在招的岗位", as_json=as_json)
