"""The words of the contract as a module that pages import: what kinds of touchpoints and identifiers are called.

They are written once, in the catalogues of `schemas`, in both languages; a page never repeats them.
"""

from collections.abc import Mapping

import msgspec

from schemas import kinds
from schemas.identifiers import identifier_types

NAME = "catalogue.js"


def catalogue_script() -> bytes:
    """Return an ES module that exports `kinds` and `identifiers`: by code, the title in English and Korean."""
    return b"".join(
        b"export const %s = %s;\n" % (name, msgspec.json.encode(titles))
        for name, titles in (
            (b"kinds", _kinds()),
            (b"identifiers", _identifiers()),
        )
    )


def _kinds() -> Mapping[str, Mapping[str, str]]:
    return {name: {"en": kind.title.en, "ko": kind.title.ko} for name, kind in kinds.load().items()}


def _identifiers() -> Mapping[str, Mapping[str, str]]:
    return {name: {"en": one.title.en, "ko": one.title.ko} for name, one in identifier_types.load().items()}
