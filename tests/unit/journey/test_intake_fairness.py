"""A partition does not wait behind the backlog of another."""

from services.journey.intake import Intake
from tests.unit.journey.records import chunk, claim


async def test_a_batch_takes_the_same_from_every_partition_that_waits() -> None:
    intake = Intake(capacity=1_000)
    busy, calm = claim(0), claim(1)
    intake.grant([busy, calm])
    for first in range(0, 90, 10):
        await intake.put(chunk(busy, first, 10))
    await intake.put(chunk(calm, 0, 5))
    batches = intake.batches(20)
    taken = await anext(batches)
    assert {one.partition: len(one.records) for one in taken} == {0: 10, 1: 5}
    assert intake.waiting == 80
    offsets = [record.offset for one in taken if one.partition == 0 for record in one.records]
    while intake.waiting:
        offsets += [record.offset for one in await anext(batches) for record in one.records]
    assert offsets == list(range(90))


async def test_more_partitions_than_a_batch_has_room_for_still_get_one_record_each() -> None:
    intake = Intake(capacity=1_000)
    claims = [claim(partition) for partition in range(5)]
    intake.grant(claims)
    for one in claims:
        await intake.put(chunk(one, 0, 3))
    taken = await anext(intake.batches(2))
    assert [(one.partition, len(one.records)) for one in taken] == [(partition, 1) for partition in range(5)]
