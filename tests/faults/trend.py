"""Samples of long-lived processes and what they tend to: a least-squares slope. Reads /proc; the rest is pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One process at one moment, seconds from the start: resident memory in MiB, open files, processor seconds."""

    at_s: float
    pid: int
    rss_mib: float
    files: int
    cpu_s: float


def sample(pid: int, at_s: float) -> Sample | None:
    """Weigh a process and what it started; None when it has just died."""
    try:
        root = psutil.Process(pid)
        times = root.cpu_times()
        rss = root.memory_info().rss / MIB
        return Sample(
            at_s=round(at_s, 1),
            pid=pid,
            rss_mib=round(rss, 2),
            files=root.num_fds(),
            cpu_s=round(times.user + times.system, 2),
        )
    except (psutil.Error, OSError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """What one life of a process tends to, its first part (warming up) left out."""

    name: str
    seconds: float
    rss_first_mib: float
    rss_last_mib: float
    rss_slope_mib_per_hour: float
    growth_mib: float
    """The slope over the seconds that were looked at."""

    files_first: int
    files_last: int

    @property
    def is_flat(self) -> bool:
        """Whether the growth is within noise: 8 MiB, or a twentieth of what it holds; and files within 16."""
        allowed = max(8.0, self.rss_first_mib / 20)
        return self.growth_mib <= allowed and self.files_last - self.files_first <= 16


def trend(name: str, samples: Sequence[Sample], *, warm_up_s: float) -> Trend | None:
    """The trend of a process over its samples; None where they are too few or of several lives."""
    seen = [one for one in samples if one.at_s >= samples[0].at_s + warm_up_s]
    if len(seen) < 10 or len({one.pid for one in samples}) > 1:
        return None
    slope = _slope([one.at_s for one in seen], [one.rss_mib for one in seen])
    seconds = seen[-1].at_s - seen[0].at_s
    return Trend(
        name=name,
        seconds=seconds,
        rss_first_mib=_mean(seen[:5]),
        rss_last_mib=_mean(seen[-5:]),
        rss_slope_mib_per_hour=round(slope * 3600, 2),
        growth_mib=round(slope * seconds, 2),
        files_first=seen[0].files,
        files_last=seen[-1].files,
    )


def trends(samples: Mapping[str, Sequence[Sample]], *, warm_up_s: float) -> list[Trend]:
    """The trends of all that lived through."""
    found = (trend(name, seen, warm_up_s=warm_up_s) for name, seen in samples.items() if seen)
    return [one for one in found if one is not None]


def _mean(samples: Sequence[Sample]) -> float:
    return round(sum(one.rss_mib for one in samples) / len(samples), 1)


def _slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - middle_x) ** 2 for x in xs)
    return sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True)) / spread if spread else 0.0
