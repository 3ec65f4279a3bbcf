"""All pages, in one router; what `main` plugs in.

Every route of it refuses forms that another site's page sends.
"""

from fastapi import APIRouter, Depends

from app.web.assets import mount_static
from app.web.origins import refuse_foreign_forms
from app.web.rendering import render_problem
from app.web.seeker.about import about
from app.web.seeker.doors import doors
from app.web.seeker.inboxes import inboxes
from app.web.seeker.me import me
from app.web.seeker.postings import postings
from app.web.seeker.profiles import profiles
from app.web.seeker.pushes import pushes
from app.web.seeker.questions import questions
from app.web.seeker.receipts import receipts
from app.web.seeker.reports import reports

__all__ = ["mount_static", "pages", "render_problem"]

pages = APIRouter(include_in_schema=False, dependencies=[Depends(refuse_foreign_forms)])
for part in (questions, postings, pushes, inboxes, reports, receipts, about, doors, me, profiles):
    pages.include_router(part)
