"""Fills in how a touchpoint feels, where its producer did not say and the customer wrote something."""

from collections.abc import Iterable, Mapping

import msgspec

from schemas.vocabulary import SentimentOrigin
from services.ingest.sentiment.customer_text import is_of_customer
from services.ingest.sentiment.estimator import SentimentEstimator
from services.ingest.sentiment.model.model_asking import ModelAsking
from services.ingest.touchpoint.acceptance import AcceptedTouchpoint


class SentimentFiller:
    """Fills in sentiments with one estimator, in whose place a model of the house may speak.

    Without an estimator it leaves everything as it is.
    """

    def __init__(self, estimator: SentimentEstimator | None, model: ModelAsking | None = None) -> None:
        self._estimator = estimator
        self._model = model

    def fill(self, accepted: AcceptedTouchpoint) -> AcceptedTouchpoint:
        """Return `accepted` with a sentiment, if it can be told; the producer's own stands."""
        found = accepted.touchpoint
        if self._estimator is None or found.text is None or found.sentiment is not None or not is_of_customer(found):
            return accepted
        value = self._estimator.estimate(found.text).value
        if value is None:
            return accepted
        filled = msgspec.structs.replace(found, sentiment=value, sentiment_by=SentimentOrigin.LEXICON)
        return msgspec.structs.replace(accepted, touchpoint=filled)

    def asks_about(self, accepted: AcceptedTouchpoint, published: AcceptedTouchpoint) -> bool:
        """Return whether the model is to read the text of a touchpoint, which is going to be published so.

        A text that the privacy policy drops, hides or encrypts does not leave the process.
        """
        if self._model is None or self._estimator is None:
            return False
        found = accepted.touchpoint
        kept = found.text is not None and published.touchpoint.text == found.text
        return kept and found.sentiment is None and is_of_customer(found)

    async def ask(self, texts: Iterable[str]) -> Mapping[str, float | None]:
        """Return what the model says of each text; what it does not say in time is not in it."""
        return {} if self._model is None else await self._model.ask(texts)

    def heard(self, accepted: AcceptedTouchpoint, told: float | None) -> AcceptedTouchpoint:
        """Return `accepted` with the word of the model, which may be that it cannot tell."""
        by = None if told is None else SentimentOrigin.MODEL
        return msgspec.structs.replace(
            accepted, touchpoint=msgspec.structs.replace(accepted.touchpoint, sentiment=told, sentiment_by=by)
        )

    async def aclose(self) -> None:
        """Let go of the model."""
        if self._model is not None:
            await self._model.aclose()
