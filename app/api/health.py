"""Whether the process lives and whether it can serve, for whoever restarts it or routes to it.

Live asks nothing of the database: a database that is away must not get every web process restarted.
"""

from dataclasses import asdict

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.responses import Response

from app.api.answers import private_answer
from app.api.houses import CurrentHouse
from app.api.metrics import CurrentMetrics
from app.api.problems import declares
from app.domain.permissions import Action, permits
from app.wiring import NotReady, check_readiness

router = APIRouter(tags=["health"])


class Live(BaseModel):
    """The process answers."""

    status: str


class Ready(BaseModel):
    """What the process needs to serve; all true when it is ready."""

    status: str
    migrated: bool
    loaded: bool
    index_built: bool


@router.get("/health/live", response_model=Live, responses=declares(), summary="Whether the process answers")
@permits(Action.SEE_HEALTH)
async def show_live() -> Response:
    """Answers as long as the process runs."""
    return private_answer({"status": "live"})


@router.get("/health/ready", response_model=Ready, responses=declares(NotReady), summary="Whether it can serve")
@permits(Action.SEE_HEALTH)
def show_ready(house: CurrentHouse) -> Response:
    """Ready means: database migrated, reference data loaded, index built. The 503 document says which is missing."""
    readiness = check_readiness(house)
    if not readiness.is_ready:
        raise NotReady(retry_after_s=5, **asdict(readiness))
    return private_answer({"status": "ready", **asdict(readiness)})


@router.get("/metrics", include_in_schema=False)
@permits(Action.SEE_METRICS)
def show_metrics(metrics: CurrentMetrics) -> Response:
    """Prometheus's text format."""
    return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
