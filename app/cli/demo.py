"""`jiujin seed demo`, and what `jiujin up` fills an empty database with.

Two sorts of rows, and neither is an open job: generated ones, marked as such, and real listings of the past, which come
through the importer like anybody's file. Never in production.
"""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from app.background.sequencing import Sequencer
from app.cli.databases import load_seed, progress, require_current_schema, taking_turns, told_counts
from app.cli.imports import bring_in_postings
from app.cli.terminal import AsJson, DataFolder, Failed, answer, at_work
from app.domain.postings import PostingOrigin
from app.exchange.postings import read_postings
from app.kit.database import read_session, write_session
from app.usecases.postings import count_postings
from app.wiring import House, bind_keys, is_reference_loaded

DemoWorkers = Annotated[
    int | None, typer.Option(min=0, max=10_000_000, help="演示数据里生成多少名求职者", show_default=False)
]
DemoPostings = Annotated[
    int | None, typer.Option(min=0, max=10_000_000, help="演示数据里生成多少个岗位", show_default=False)
]


def seed_demo(
    *,
    workers: DemoWorkers = None,
    postings: DemoPostings = None,
    rng_seed: Annotated[
        int | None, typer.Option(min=0, max=2**63 - 1, help="随机种子：同样的种子生成同样的数据", show_default=False)
    ] = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Add generated people and postings and the sample of the past; a demo that is there already stays as it is."""
    with at_work(as_json=as_json, data=data) as house:
        if house.settings.is_production:
            raise Failed("正式环境不装演示数据", code="demo_in_production")
        require_current_schema(house)
        if not is_reference_loaded(house):
            raise Failed("还没有参考数据，请先运行：jiujin seed reference", code="reference_missing")
        bind_keys(house)
        with taking_turns(house):
            counts = {
                **_generate(house, workers=workers, postings=postings, rng_seed=rng_seed),
                "samples": _import_samples(house),
            }
        words = f"演示数据已装好：{told_counts(counts)}" if any(counts.values()) else "演示数据已经在库里，没有改动"
        answer(counts, words, as_json=as_json)


def fill_demo_if_empty(house: House, *, workers: int | None = None, postings: int | None = None) -> None:
    """Load the demo into a database without a posting, or finish one that was broken off; never in production.

    Generated rows without samples are what a start leaves behind that was stopped between the two.
    """
    if house.settings.is_production:
        return
    with read_session(house.engine) as session:
        origins = {count.origin for count in count_postings(session)}
    if not origins:
        _generate(house, workers=workers, postings=postings)
    if not origins or origins == {PostingOrigin.GENERATED}:
        _import_samples(house)


def _generate(house: House, **given: int | None) -> dict[str, int]:
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with progress("演示数据") as report:
        counts: dict[str, int] = load_seed("demo")(
            house.engine,
            keys=house.keys,
            now=house.clock.now(),
            today=house.clock.today(),
            report=report,
            **chosen,
        )
    # The demo's ledger is a book that can be checked from the first minute on.
    Sequencer(house).run()
    return counts


def _import_samples(house: House) -> int:
    """Bring in the real listings of the past through the importer; how many stand in the database because of it."""
    path: Path = import_module(load_seed("demo").__module__).sample_postings_path()
    drafts = read_postings(path).drafts
    return bring_in_postings(house, drafts, actor="system", writing=write_session(house.engine)).historical
