"""Every metric that the services declare, found by making each metrics object with a registry that only listens."""

import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from tests.architecture.tree import dotted, modules

_SERIES: dict[str, dict[str, tuple[str, ...]]] = {
    "counter": {"_total": ()},
    "gauge": {"": ()},
    "histogram": {"_bucket": ("le",), "_count": (), "_sum": ()},
    "info": {"_info": ()},
    "summary": {"_count": (), "_sum": ()},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One name that Prometheus will know: `waymark_http_requests_total` with its labels."""

    name: str
    labels: frozenset[str]
    kind: str
    module: str
    help: str


class _Listening(CollectorRegistry):
    """A registry that keeps the collectors themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Any] = []

    def register(self, collector: Collector) -> None:
        self.heard.append(collector)


def declared() -> dict[str, Series]:
    """Return every series of every service by name."""
    found: dict[str, Series] = {}
    for path in modules("services"):
        if "prometheus_client" in path.read_text(encoding="utf-8"):
            module = dotted(path)
            for collector in _collectors(module):
                found |= {series.name: series for series in _series(collector, module)}
    return found


def _collectors(module: str) -> list[Any]:
    heard = []
    for declare in _declarers(importlib.import_module(module)):
        registry = _Listening()
        declare(registry)
        heard += registry.heard
    return heard


def _declarers(module: ModuleType) -> Iterator[Callable[[CollectorRegistry], object]]:
    """Yield what takes a registry and nothing else: a class, one of its class methods, or a function."""
    for _, member in inspect.getmembers(module, callable):
        if getattr(member, "__module__", "") == module.__name__:
            if _takes_only_a_registry(member):
                yield member
            elif inspect.isclass(member):
                methods = (method for _, method in inspect.getmembers(member, inspect.ismethod))
                yield from (method for method in methods if _takes_only_a_registry(method))


def _takes_only_a_registry(member: Callable[..., object]) -> bool:
    try:
        return list(inspect.signature(member).parameters) == ["registry"]
    except ValueError:  # an enum and the like: no signature to speak of
        return False


def _series(collector: Any, module: str) -> list[Series]:
    if not hasattr(collector, "_labelnames"):  # a collector of the process itself, not of ours
        return []
    (metric,) = collector.describe()
    return [
        Series(
            name=metric.name + suffix,
            labels=frozenset((*collector._labelnames, *extra)),
            kind=metric.type,
            module=module,
            help=metric.documentation,
        )
        for suffix, extra in _SERIES[metric.type].items()
    ]
