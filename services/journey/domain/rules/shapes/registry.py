"""The list of all shapes: whoever reads, checks, words or evaluates rules knows them from here."""

from typing import TypeAlias

from services.journey.domain.rules.shapes.absence import AbsenceRule
from services.journey.domain.rules.shapes.aggregate import AggregateRule
from services.journey.domain.rules.shapes.consequence import ConsequenceRule
from services.journey.domain.rules.shapes.count import CountRule
from services.journey.domain.rules.shapes.effort_line import EffortRule
from services.journey.domain.rules.shapes.response import ResponseRule
from services.journey.domain.rules.shapes.sequence import SequenceRule
from services.journey.domain.rules.shapes.stage import StageRule
from services.journey.domain.rules.shapes.threshold import ThresholdRule

AnyRule: TypeAlias = (
    CountRule
    | SequenceRule
    | ThresholdRule
    | AbsenceRule
    | ResponseRule
    | AggregateRule
    | StageRule
    | EffortRule
    | ConsequenceRule
)
"""A rule of any shape; mypy refuses a shape that lacks `check`, `evaluator`, `placeholders` or `per`."""
