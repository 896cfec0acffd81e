"""A partition does not wait behind the whole backlog of another: one batch of each, then it is its turn."""

from services.journey.consume.intake import Intake
from tests.unit.journey.records import chunk, claim


async def test_a_calm_partition_waits_for_one_batch_of_a_busy_one() -> None:
    intake = Intake(capacity=1_000)
    busy, calm = claim(0), claim(1)
    intake.grant([busy, calm])
    for first in range(0, 90, 10):
        await intake.put(chunk(busy, first, 10))
    await intake.put(chunk(calm, 0, 5))
    batches = intake.batches(lambda: 20)
    taken = [await anext(batches), await anext(batches)]
    sizes = [[(one.partition, len(one.records)) for one in batch] for batch in taken]
    assert sizes == [[(0, 10), (0, 10)], [(1, 5), (0, 10), (0, 5)]]
    offsets = [record.offset for batch in taken for one in batch if one.partition == 0 for record in one.records]
    while intake.waiting:
        offsets += [record.offset for one in await anext(batches) for record in one.records]
    assert offsets == list(range(90))


async def test_every_partition_is_served_once_before_any_is_served_twice() -> None:
    intake = Intake(capacity=1_000)
    claims = [claim(partition) for partition in range(5)]
    intake.grant(claims)
    for one in claims:
        await intake.put(chunk(one, 0, 4))
    batches = intake.batches(lambda: 2)
    turns = [[one.partition for one in await anext(batches)] for _ in range(10)]
    assert turns == [[0], [1], [2], [3], [4]] * 2
