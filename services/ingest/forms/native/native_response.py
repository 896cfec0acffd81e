"""The response to `POST /v1/touchpoints`: a result for each touchpoint, and one status for the whole request.

The status is 202 when all are accepted or duplicates, 207 when some are rejected, 422 when all are rejected, and 503
with Retry-After when any is unavailable. 422 and 503 are RFC 9457 problem documents that carry the results as well.
"""

from collections.abc import Mapping, Sequence

import msgspec

from schemas.languages import Language
from services.ingest.http.exchange import JSON_TYPE, HttpResponse
from services.ingest.reasons import OUTCOMES, ItemOutcome, ResponseSummary
from services.ingest.results.item_result import ItemResult
from services.ingest.results.messages import say
from services.ingest.results.result_view import ItemResultView, view_of
from services.runtime.http.problems import PROBLEM_TYPE, TITLES


class ResultsView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of the response; the members from `type` on appear only in a problem document."""

    results: list[ItemResultView]
    accepted: int
    duplicate: int
    rejected: int
    unavailable: int
    dry_run: bool = False
    type: str | None = None
    title: str | None = None
    status: int | None = None
    detail: str | None = None
    code: str | None = None
    message: str | None = None


_ENCODER = msgspec.json.Encoder()


def respond(
    results: Sequence[ItemResult], language: Language, retry_after_s: int, *, dry_run: bool = False
) -> HttpResponse:
    """Return the response for these results, or for the results that a dry run would have."""
    outcomes = [one.outcome for one in results]
    counts = {outcome: outcomes.count(outcome) for outcome in OUTCOMES}
    status = status_of(counts)
    views = [view_of(at, one, language, retry_after_s) for at, one in enumerate(results)]
    body = ResultsView(
        results=views,
        accepted=counts[ItemOutcome.ACCEPTED],
        duplicate=counts[ItemOutcome.DUPLICATE],
        rejected=counts[ItemOutcome.REJECTED],
        unavailable=counts[ItemOutcome.UNAVAILABLE],
        dry_run=dry_run,
    )
    if status < 400:
        status = 200 if dry_run and status == 202 else status
        return _reply(status, body, JSON_TYPE, language)
    code, message = _summary(status, views, language, retry_after_s)
    problem = msgspec.structs.replace(
        body, type="about:blank", title=TITLES[status], status=status, detail=message, code=code, message=message
    )
    return _reply(status, problem, PROBLEM_TYPE, language, retry_after_s if status == 503 else None)


def status_of(counts: Mapping[ItemOutcome, int]) -> int:
    """Return the HTTP status for these counts, which name every outcome."""
    if counts[ItemOutcome.UNAVAILABLE]:
        return 503
    if not counts[ItemOutcome.REJECTED]:
        return 202
    return 207 if counts[ItemOutcome.ACCEPTED] or counts[ItemOutcome.DUPLICATE] else 422


def _summary(status: int, views: list[ItemResultView], language: Language, retry_after_s: int) -> tuple[str, str]:
    only = views[0] if len(views) == 1 else None
    if only is not None and only.code and only.message:
        return only.code, only.message
    summary = ResponseSummary.SOME_UNAVAILABLE if status == 503 else ResponseSummary.ALL_REJECTED
    return str(summary), say(summary, language, retry_after=retry_after_s)


def _reply(
    status: int, body: ResultsView, media_type: str, language: Language, after: int | None = None
) -> HttpResponse:
    encoded = _ENCODER.encode(body)
    headers = [
        (b"content-type", media_type.encode()),
        (b"content-length", b"%d" % len(encoded)),
        (b"content-language", language.encode()),
        (b"vary", b"accept-language"),
    ]
    if after is not None:
        headers.append((b"retry-after", b"%d" % after))
    return HttpResponse(status=status, body=encoded, headers=tuple(headers))
