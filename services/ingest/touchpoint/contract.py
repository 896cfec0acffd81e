"""Reads a JSON object as a posted touchpoint: fills in defaults, composes text, and validates the contract. Pure.

The contract is `schemas/touchpoint.v1.schema.json`. Leaves what a source may send, and whether its times are plausible,
to `services.ingest.touchpoint.acceptance`.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from schemas import validation
from schemas.codec import UndecodableError
from schemas.documents import touchpoint
from schemas.documents.touchpoint import PostedTouchpoint
from schemas.validation import FieldError
from services.ingest.results.item_result import ItemResult, reject_fields
from services.ingest.touchpoint import normalisation
from services.ingest.touchpoint.document import JsonObject

_OBJECTS_OF_MANY = ("customer", "refs", "attributes")
"""Members whose own members have defaults one by one."""


def read(
    found: JsonObject, defaults: Mapping[str, Any], *, composed: bool, shallow: bool = False
) -> PostedTouchpoint | ItemResult:
    """Return the touchpoint that `found` is, or reject it for what is wrong with it. `found` is used up.

    A member that is null counts as absent: many producers write all the fields they know. `composed` says that all
    of its text is in NFC already, `shallow` that it is nested no deeper than `validation.MAX_DEPTH`.
    """
    _drop_nulls(found)
    for name in ("customer", "refs"):
        if type(found.get(name)) is dict:
            _drop_nulls(found[name])
    if defaults:
        _fill_in(found, defaults)
    if not composed:
        normalisation.compose(found, verbatim="id")  # an id is its producer's, to the byte
    deepened = len(defaults) > ("channel" in defaults)  # a channel nests nothing
    errors = validation.errors(touchpoint.SCHEMA, found, shallow=shallow and not deepened)
    return reject_fields(found.get("id"), errors) if errors else _typed(found)


def _typed(found: JsonObject) -> PostedTouchpoint | ItemResult:
    try:
        return msgspec.convert(found, PostedTouchpoint)
    except msgspec.ValidationError:
        pass
    try:
        return touchpoint.decode_posted(msgspec.json.encode(found))  # takes 2.0 for 2, as the schema does
    except UndecodableError as error:
        misfit = FieldError(
            path=error.path,
            code=validation.ErrorCode.FORMAT,
            message="Send it as the schema says.",
            message_ko="스키마에 맞게 보내 주세요.",
        )
        return reject_fields(found.get("id"), [misfit])


def _drop_nulls(node: JsonObject) -> None:
    if None in node.values():
        for name in [name for name, member in node.items() if member is None]:
            del node[name]


def _fill_in(found: JsonObject, defaults: Mapping[str, Any]) -> None:
    for name, default in defaults.items():
        given = found.get(name)
        if given is None:
            found[name] = dict(default) if isinstance(default, dict) else default
        elif name in _OBJECTS_OF_MANY and isinstance(given, dict) and isinstance(default, dict):
            found[name] = {**default, **given}
