"""F1 at any size: `python -m tests.faults.run --seed 7 --touchpoints 50000 --kills 20`."""

import argparse
import sys
from functools import partial

from tests.faults.__main__ import run_plan
from tests.faults.fault import Fault
from tests.faults.faults.worker_killed import Size, killed


def main() -> int:
    """Parse, run, print."""
    options = _options()
    seconds = max(20.0, 7.0 * (options.kills + 2 * options.freezes), options.touchpoints / 1000)
    size = Size(
        touchpoints=options.touchpoints,
        kills=options.kills,
        seconds=options.seconds or seconds,
        freezes=options.freezes,
        alerts_kills=options.alerts_kills,
        workers=options.workers,
        settle_s=options.settle,
    )
    title = f"workers killed {size.kills} times, frozen {size.freezes}; alerts killed {size.alerts_kills}"
    limit_s = size.seconds + size.settle_s + 300
    fault = Fault(id="F1", title=title, short=False, run=partial(killed, size=size), limit_s=limit_s)
    return run_plan([(fault, options.seed)], folder=options.folder, json=options.json)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.run", description=__doc__)
    parser.add_argument("--seed", type=int, default=7, help="makes the workload and the kills repeatable (default 7)")
    parser.add_argument("--touchpoints", type=int, default=50_000, help="different touchpoints (default 50000)")
    parser.add_argument("--kills", type=int, default=20, help="SIGKILLs of journey workers (default 20)")
    parser.add_argument("--freezes", type=int, default=0, help="SIGSTOPs longer than a session, of workers (default 0)")
    parser.add_argument("--alerts-kills", type=int, default=0, help="SIGKILLs of the alert service (default 0)")
    parser.add_argument("--seconds", type=float, default=None, help="how long to write (default: 7 s for each kill)")
    parser.add_argument("--workers", type=int, default=2, help="journey workers (default 2)")
    parser.add_argument("--settle", type=float, default=240.0, help="seconds to wait for the rest (default 240)")
    parser.add_argument("--folder", default="", help="where logs and data go and stay (default: a temporary folder)")
    parser.add_argument("--json", default="", help="file for the result")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
