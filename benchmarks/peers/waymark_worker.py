"""Waymark's worker, as `waymark serve journey` starts it, on a topic of the benchmark's own.

WAYMARK_… python -m benchmarks.peers.waymark_worker TOPIC
"""

import asyncio
import os
import sys

from services.journey.settings import WorkerProcessSettings
from services.journey.worker import run

if __name__ == "__main__":
    asyncio.run(run(WorkerProcessSettings.load(os.environ), topic=sys.argv[1]))
