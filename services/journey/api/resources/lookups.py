"""Finds out which customer a caller means, and counts how looking them up ended."""

from typing import Annotated
from uuid import UUID

from fastapi import Path

from services.journey.api.api_metrics import LookupOutcome
from services.journey.api.messages import ReadRefusal, refuse
from services.journey.api.resources.access import ReadApi
from services.journey.read import lookup
from services.journey.read.snapshots import CustomerReference
from services.runtime.http.problems import Problem

Reference = Annotated[
    str,
    Path(
        description="`type:value`, URL-encoded: `phone:%2B821012345678`, `email:a%40b.example`, `customer_id:C-1009`, "
        "or a customer id that this API gave out, bare or after `id:`. Values are normalised as they were "
        "when they came in.",
        examples=["phone:%2B821012345678"],
        max_length=1200,
    ),
]


def customer_named(api: ReadApi, reference: str, accept_language: str | None) -> CustomerReference:
    """Return the customer that `reference` names; raises the problem of one that names nobody."""
    match lookup.parse(reference, api.phone_region, api.privacy_secret):
        case lookup.LookupFault.BLOCKED:
            raise _refused(api, LookupOutcome.BLOCKED, ReadRefusal.IDENTIFIER_BLOCKED, accept_language)
        case lookup.LookupFault.MALFORMED:
            raise _refused(api, LookupOutcome.MALFORMED, ReadRefusal.IDENTIFIER_MALFORMED, accept_language)
        case lookup.IdentifierReference(type=type_, values=values):
            return type_, values
        case UUID() as customer_id:
            return customer_id


def _refused(api: ReadApi, looked: LookupOutcome, refusal: ReadRefusal, accept_language: str | None) -> Problem:
    api.metrics.looked_up(looked)
    return refuse(refusal, accept_language)


def count_lookup(api: ReadApi, *, found: bool) -> None:
    """Count a look-up of a reference that was well formed."""
    api.metrics.looked_up(LookupOutcome.FOUND if found else LookupOutcome.UNKNOWN)
