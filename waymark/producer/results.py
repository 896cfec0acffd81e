"""What became of touchpoints: counted, and told to whoever wants to hear it."""

import logging
from collections import Counter
from collections.abc import Callable

from waymark.producer.exchange import Result, Status

_log = logging.getLogger(__name__)


class Results:
    """Counts results and passes each on; a listener that fails ends nothing: it is the caller's code."""

    def __init__(self, listener: Callable[[Result], None] | None) -> None:
        self._listener = listener
        self.counts: Counter[Status] = Counter()

    def tell(self, result: Result) -> None:
        """Note one result."""
        self.counts[result.status] += 1
        if self._listener is None:
            return
        try:
            self._listener(result)
        except Exception:  # noqa: BLE001  see the class
            _log.exception("on_result failed")
