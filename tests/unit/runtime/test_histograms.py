"""Distributions: what Prometheus reads of them is what its own client would have counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.samples import Sample

from services.runtime.telemetry.histograms import FastHistogram

BUCKETS = (0.5, 1, 2.5, 10)
VALUES = st.lists(st.one_of(st.sampled_from([0, *BUCKETS]), st.floats(0, 20), st.integers(0, 20)), max_size=30)


def samples(registry: CollectorRegistry) -> list[Sample]:
    """Return all samples but the times at which series began, which nobody asks for."""
    return [s for family in registry.collect() for s in family.samples if not s.name.endswith("_created")]


@given(VALUES, VALUES)
def test_it_counts_as_the_client_s_own_histogram_does(of_one: list[float], of_another: list[float]) -> None:
    own, ours = CollectorRegistry(), CollectorRegistry()
    histogram = Histogram("waymark_x", "X.", ("route",), buckets=BUCKETS, registry=own)
    distribution = FastHistogram("waymark_x", "X.", ("route",), buckets=BUCKETS, registry=ours)
    for route, values in (("a", of_one), ("b", of_another)):
        for value in values:
            histogram.labels(route).observe(value)
            distribution.labels(route).observe(value)
        histogram.labels(route)
        distribution.labels(route)

    assert samples(ours) == samples(own)


def test_without_labels_there_is_one_series_from_the_start() -> None:
    registry = CollectorRegistry()
    series = FastHistogram("waymark_x", "X.", buckets=BUCKETS, registry=registry).labels()

    assert registry.get_sample_value("waymark_x_count") == 0
    series.observe(1)
    assert registry.get_sample_value("waymark_x_bucket", {"le": "0.5"}) == 0
    assert registry.get_sample_value("waymark_x_bucket", {"le": "1.0"}) == 1
    assert registry.get_sample_value("waymark_x_sum") == 1


def test_labels_are_all_named_and_names_are_not_taken_twice() -> None:
    registry = CollectorRegistry()
    distribution = FastHistogram("waymark_x", "X.", ("route",), buckets=BUCKETS, registry=registry)

    with pytest.raises(ValueError, match="has the labels"):
        distribution.labels()
    with pytest.raises(ValueError, match="Duplicated"):
        FastHistogram("waymark_x", "X.", buckets=BUCKETS, registry=registry)
