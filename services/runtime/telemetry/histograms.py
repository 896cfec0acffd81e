"""Histograms for hot paths: counted without locks, by the one thread that runs the event loop and answers `/metrics`.

prometheus_client's own takes two locks for each value and walks its buckets one by one, which costs three times as much
(measured); a request of ingest observes four values.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import Exemplar
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class HistogramSeries:
    """The observed values for one set of labels."""

    __slots__ = ("_bounds", "counts", "exemplars", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.exemplars: dict[int, Exemplar] = {}
        self.total = 0.0

    def observe(self, value: float, trace: str | None = None) -> None:
        """Count `value` in the first bucket whose bound it does not exceed; the trace is its latest exemplar."""
        bucket = bisect_left(self._bounds, value)
        self.counts[bucket] += 1
        self.total += value
        if trace is not None:
            self.exemplars[bucket] = Exemplar({"trace_id": trace}, value)


class FastHistogram(Collector):
    """A histogram with ascending upper bounds `buckets`; infinity is added to them."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str] = (),
        *,
        buckets: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._labelnames = tuple(labels)
        self._bounds = tuple(float(bound) for bound in buckets)
        self._series: dict[tuple[str, ...], HistogramSeries] = {}
        registry.register(self)

    def labels(self, *values: str) -> HistogramSeries:
        """Return the series of these values of the labels, to be kept at hand; without labels the only one."""
        if len(values) != len(self._labelnames):
            msg = f"{self._name} has the labels {self._labelnames}"
            raise ValueError(msg)
        return self._series.setdefault(values, HistogramSeries(self._bounds))

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """Yield what can be collected, so that the registry refuses a name that it already knows."""
        return self.collect()

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield all series for the registry."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labelnames)
        bounds = (*self._bounds, float("inf"))
        names = [floatToGoString(bound) for bound in bounds]  # type: ignore[no-untyped-call]  # as the client writes it
        for values, series in self._series.items():
            counts = accumulate(series.counts)
            buckets: list[Any] = [  # the client's stubs know no exemplar that may be missing, its code does
                (name, count, series.exemplars.get(at))
                for at, (name, count) in enumerate(zip(names, counts, strict=True))
            ]
            family.add_metric(values, buckets, series.total)
        yield family
