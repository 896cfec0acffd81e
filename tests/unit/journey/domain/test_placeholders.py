"""What placeholders of explanations say; the domain knows no contract, so its words are compared here."""

from schemas.vocabulary import REASONS_IN_KOREAN
from services.journey.domain.rules import placeholders


def test_reasons_are_called_as_in_the_contract() -> None:
    assert placeholders._REASONS_KO == REASONS_IN_KOREAN
