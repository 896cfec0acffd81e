"""The result depends on what happened, not on how it arrived: order, partitions, batches and repeats are noise."""

import random
from typing import Any

import pytest

from services.journey.domain.projection import project_segmented
from services.journey.renew import renewal
from services.runtime.postgres import pools
from services.runtime.postgres.pools import acquire
from tests.fixtures.journey_bench import JourneyBench, open_bench, touchpoint

pytestmark = pytest.mark.local

KINDS = ("call_started", "call_ended", "chat_started", "email_received", "page_viewed", "case_opened", "order_placed")
REASONS = (None, "billing", "delivery")
PEOPLE = 6


def story(rng: random.Random) -> list[Any]:
    """Touchpoints of a few people, each known by three identifiers that single touchpoints tie together."""
    points = []
    for number in range(90):
        who = rng.randrange(PEOPLE)
        names = {"customer_id": f"C-{who}", "email": f"p{who}@example.com", "cookie": f"k-{who}"}
        known = rng.sample(sorted(names), rng.choice((1, 1, 2)))
        points.append(
            touchpoint(
                f"t{number}",
                rng.randrange(100),
                kind=rng.choice(KINDS),
                channel=rng.choice(("phone", "chat", "email", "web")),
                reason=rng.choice(REASONS),
                refs={"case_id": f"T-{who}"} if rng.random() < 0.2 else {},
                interaction_id=f"i{who}-{rng.randrange(5)}" if rng.random() < 0.3 else None,
                customer={name: names[name] for name in known},
            )
        )
    return points


async def outcome(bench: JourneyBench) -> dict[str, Any]:
    """What the database says, without what may differ: ids given out, times of writing, revisions."""
    groups = await bench.rows(
        "SELECT string_agg(i.type || ':' || i.value, ',' ORDER BY i.type, i.value) AS known FROM journey.identifiers i"
        " JOIN journey.customers c USING (customer_id) GROUP BY coalesce(c.merged_into, c.customer_id) ORDER BY known"
    )
    frictions = await bench.rows(
        "SELECT friction_id::text, rule, severity, (payload -> 'touchpoints')::text AS evidence FROM journey.frictions"
        " WHERE state = 'detected' ORDER BY friction_id"
    )
    journeys = await bench.rows(
        "SELECT string_agg(source || ':' || id, ',' ORDER BY id) AS members FROM journey.touchpoints"
        " GROUP BY journey_id ORDER BY members"
    )
    stories = await bench.rows(
        "SELECT state, reason, started_at, last_at, effort FROM journey.journeys ORDER BY started_at, last_at, reason"
    )
    timers = await bench.rows("SELECT timer_id::text FROM journey.timers WHERE state = 'pending' ORDER BY timer_id")
    return {
        "people": [row["known"] for row in groups],
        "frictions": [tuple(row) for row in frictions],
        "journeys": [row["members"] for row in journeys],
        "stories": [tuple(row) for row in stories],
        "timers": [row["timer_id"] for row in timers],
    }


async def applied(database: str, points: list[Any], rng: random.Random | None) -> dict[str, Any]:
    async with open_bench(database, partitions=4) as bench:
        for point in points:
            bench.log.append(0 if rng is None else rng.randrange(4), point)
        await bench.apply(batch=1000 if rng is None else rng.choice((3, 7, 20)))
        return await outcome(bench)


async def emptied(database: str) -> None:
    """Forget everything, so that the same database can be filled again."""
    pool = await pools.create_pool(database, application_name="bench", size=1)
    async with acquire(pool) as connection:
        tables = await connection.fetchval(
            "SELECT string_agg(format('journey.%I', tablename), ',') FROM pg_tables WHERE schemaname = 'journey'"
        )
        await connection.execute(f"TRUNCATE {tables}")
    await pool.close()


@pytest.mark.parametrize("seed", range(6))
async def test_shuffled_doubled_and_scattered_touchpoints_give_the_same_result(database: str, seed: int) -> None:
    rng = random.Random(seed)
    points = story(rng)
    plain = await applied(database, points, None)
    assert plain["frictions"], "the story must have something to find"
    noisy = points + rng.sample(points, 30)
    rng.shuffle(noisy)
    await emptied(database)
    assert await applied(database, noisy, rng) == plain


@pytest.mark.parametrize("seed", range(3))
async def test_groups_written_and_read_beside_one_another_give_the_same_result(
    database: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    points = story(rng)
    plain = await applied(database, points, None)
    await emptied(database)
    monkeypatch.setattr(renewal, "GROUP", 1)
    assert await applied(database, points, rng) == plain


@pytest.mark.logs_error("batch failed")
async def test_a_group_that_cannot_be_compared_leaves_nothing_behind(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "GROUP", 1)
    compared = []

    def failing_at_the_third(*arguments: Any, **options: Any) -> Any:
        compared.append(arguments)
        if len(compared) == 3:
            raise ZeroDivisionError
        return project_segmented(*arguments, **options)

    monkeypatch.setattr(renewal, "project_segmented", failing_at_the_third)
    async with open_bench(database) as bench:
        for number in range(5):
            bench.log.append(0, touchpoint(f"t{number}", number, customer={"customer_id": f"C-{number}"}))
        with pytest.raises(ZeroDivisionError):
            await bench.apply()
        assert await bench.value("SELECT count(*) FROM journey.touchpoints") == 0
        monkeypatch.setattr(renewal, "project_segmented", project_segmented)
        await bench.apply()
        assert await bench.value("SELECT count(*) FROM journey.touchpoints") == 5


async def test_a_history_longer_than_what_is_looked_at_keeps_what_was_found(database: str) -> None:
    async with open_bench(database, history=10) as bench:
        for number in range(30):
            bench.log.append(0, touchpoint(f"t{number}", number, reason="billing"))
        await bench.apply(batch=4)
        states = await bench.rows("SELECT state, count(*) FROM journey.frictions GROUP BY state")
        assert [tuple(row) for row in states] == [("detected", 58)]
