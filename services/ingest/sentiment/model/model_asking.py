"""Asks the model of the house within a time, in batches, and leaves it alone for a while when it keeps failing.

What it does not say in time, the word lists say: a touchpoint is never refused, and waits no longer than `within_s`.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from services.ingest.metrics import IngestMetrics
from services.ingest.sentiment.estimator import MOST_CHARACTERS
from services.ingest.sentiment.model.house_model import HouseModel, ModelFailedError, ModelFault
from services.runtime.clock import Clock
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

AT_ONCE: Final = 8
"""Requests of producers for which the model is asked at the same time, in one replica."""

BATCH: Final = 64
"""Most texts in one batch."""

_FAILURES: Final = 3
REST_S: Final = 5.0
"""After three failures in a row nobody is asked for so long."""


class ModelAsking:
    """Asks one model within a time, and leaves it alone for a while after failures in a row."""

    def __init__(self, model: HouseModel, metrics: IngestMetrics, clock: Clock, *, within_s: float) -> None:
        self._model = model
        self._metrics = metrics
        self._clock = clock
        self._within_s = within_s
        self._asking = 0
        self._failures = 0
        self._rests_until = 0.0

    async def ask(self, texts: Iterable[str]) -> Mapping[str, float | None]:
        """Return what the model says of each text; of a text that is not in it the model said nothing in time."""
        waiting = list(dict.fromkeys(texts))
        told: dict[str, float | None] = {}
        try:
            await self._ask(waiting, told)
        except ModelFailedError as error:
            self._count(error.fault, len(waiting) - len(told))
            self._note_failure(error)
        else:
            self._note_answer()
        if told:
            self._metrics.model_texts.labels("told").inc(len(told))
        return told

    async def _ask(self, waiting: Sequence[str], told: dict[str, float | None]) -> None:
        if self._clock.monotonic() < self._rests_until:
            raise ModelFailedError(ModelFault.RESTING)
        if self._asking >= AT_ONCE:
            raise ModelFailedError(ModelFault.BUSY)
        self._asking += 1
        began = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._within_s):
                for at in range(0, len(waiting), BATCH):
                    batch = waiting[at : at + BATCH]
                    said = await self._model.read([text[-MOST_CHARACTERS:] for text in batch])
                    told.update(zip(batch, said, strict=True))
        except TimeoutError:
            raise ModelFailedError(ModelFault.TIMEOUT) from None
        finally:
            self._asking -= 1
            self._metrics.model_seconds.observe(self._clock.monotonic() - began)

    def _count(self, fault: ModelFault, texts: int) -> None:
        self._metrics.model_texts.labels(str(fault)).inc(texts)

    def _note_failure(self, error: ModelFailedError) -> None:
        if error.fault in (ModelFault.RESTING, ModelFault.BUSY):  # the model was not asked
            return
        if not self._failures:  # once an outage, not once a request
            _log.warning("the sentiment model fails, word lists stand in", reason=str(error.fault), detail=error.detail)
        self._failures += 1
        if self._failures >= _FAILURES:
            self._rests_until = self._clock.monotonic() + REST_S

    def _note_answer(self) -> None:
        if self._failures:
            _log.info("the sentiment model answers again")
        self._failures = 0

    async def aclose(self) -> None:
        """Let go of the model."""
        await self._model.aclose()
