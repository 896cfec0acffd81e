"""Fills in how a touchpoint feels, where its producer did not say and the customer wrote something."""

import msgspec

from schemas.vocabulary import SentimentOrigin
from services.ingest.sentiment.customer_text import is_of_customer
from services.ingest.sentiment.estimator import SentimentEstimator
from services.ingest.touchpoint.acceptance import AcceptedTouchpoint


class SentimentFiller:
    """Fills in sentiments with one estimator; without one it leaves everything as it is."""

    def __init__(self, estimator: SentimentEstimator | None) -> None:
        self._estimator = estimator

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
