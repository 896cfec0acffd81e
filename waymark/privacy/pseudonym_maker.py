"""Turns what an operator writes into what the suppression list holds: pseudonyms, made as ingest makes them.

Identifiers are spelt as ingest spells them and leave this module as pseudonyms only.
"""

from dataclasses import dataclass

from schemas.identifiers import spelling
from schemas.identifiers.pseudonyms import is_pseudonym, pseudonym
from schemas.identifiers.spelling import SpelledIdentifier
from services.ingest.privacy.suppression_administration import SuppressionSubject
from waymark.console import CommandError


@dataclass(frozen=True, slots=True, kw_only=True)
class PseudonymMaker:
    """Turns `type:value` into its pseudonym, with ingest's secret and the region of numbers without a country code."""

    secret: bytes
    region: str

    def subject(self, reference: str) -> SuppressionSubject:
        """Return the subject that `type:value` names.

        Raises:
            CommandError: it is not written so, or ingest would never take it for an identifier; never quotes it.
        """
        type_, colon, value = reference.partition(":")
        if not colon or not type_.strip() or not value.strip():
            raise CommandError("write each identifier as type:value, such as phone:010-1234-5678", exit_code=2)
        type_ = type_.strip()
        if is_pseudonym(value.strip()):
            return SuppressionSubject(type=type_, pseudonym=value.strip())
        found = spelling.identifier(type_, value, self.region)
        if not isinstance(found, SpelledIdentifier):
            raise CommandError(f"this is no {type_} that ingest takes for a customer's ({found})", exit_code=2)
        return SuppressionSubject(type=type_, pseudonym=pseudonym(self.secret, type_, found.value))
