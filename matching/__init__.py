"""Matching people and postings: what is this text, which postings fit this person, and why.

A library by itself: no table, page or clock. Everything that enters a result is in the arguments, so the same input
gives the same list. Start with `MatchIndex.build(openings, today=…)` and `index.rank(seeker)`; `docs/ranking.md`
tells the score.
"""

from matching import measures
from matching.allocation import Plan, Turn, allocate
from matching.appointments import AppointmentLists, ExpectedMatches, NotSettled, expected_matches
from matching.index import MatchIndex
from matching.learning import Cases, Refit, fit_chance, learn_closeness
from matching.occupations import OccupationResolver, Resolved
from matching.opening_tables import OpeningTable
from matching.planning import plan_all
from matching.ranked_tables import RankedTable
from matching.repricing import reprice
from matching.snapshots import SnapshotBroken
from matching.values import (
    AgeReason,
    Counterfactual,
    Demand,
    Education,
    Kind,
    Limit,
    Match,
    Opening,
    Place,
    Precision,
    Priority,
    Reason,
    Refusal,
    Seeker,
    SexRequired,
)
from matching.walks import WalkRecommender, blended
from matching.weights import PublishedWeight, Weights

__all__ = [
    "AgeReason",
    "AppointmentLists",
    "Cases",
    "Counterfactual",
    "Demand",
    "Education",
    "ExpectedMatches",
    "Kind",
    "Limit",
    "Match",
    "MatchIndex",
    "NotSettled",
    "OccupationResolver",
    "Opening",
    "OpeningTable",
    "Place",
    "Plan",
    "Precision",
    "Priority",
    "PublishedWeight",
    "RankedTable",
    "Reason",
    "Refit",
    "Refusal",
    "Resolved",
    "Seeker",
    "SexRequired",
    "SnapshotBroken",
    "Turn",
    "WalkRecommender",
    "Weights",
    "allocate",
    "blended",
    "expected_matches",
    "fit_chance",
    "learn_closeness",
    "measures",
    "plan_all",
    "reprice",
]
