"""Counts the results of touchpoints and passes each to the caller's listener."""

import logging
from collections import Counter
from collections.abc import Callable

from waymark.producer.exchange import TouchpointResult, TouchpointStatus

_log = logging.getLogger(__name__)


class ResultCounter:
    """Counts results and passes each on. A listener that fails ends nothing, because it is the caller's code."""

    def __init__(self, listener: Callable[[TouchpointResult], None] | None) -> None:
        self._listener = listener
        self.counts: Counter[TouchpointStatus] = Counter()

    def tell(self, result: TouchpointResult) -> None:
        """Count one result and pass it on."""
        self.counts[result.status] += 1
        if self._listener is None:
            return
        try:
            self._listener(result)
        except Exception:  # noqa: BLE001  see the class
            _log.exception("on_result failed")
