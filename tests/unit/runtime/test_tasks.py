import asyncio

import pytest

from services.runtime.process.tasks import TaskOwner, UnexpectedEndError, run_beside


async def forever() -> None:
    await asyncio.Event().wait()


@pytest.mark.logs_error("task failed")
async def test_a_failing_task_ends_the_body_and_its_siblings() -> None:
    stopped = asyncio.Event()

    async def sibling() -> None:
        try:
            await forever()
        finally:
            stopped.set()

    async def fails() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        async with TaskOwner() as owner:
            owner.start("sibling", sibling)
            owner.start("fails", fails)
            await forever()
    assert stopped.is_set()


@pytest.mark.logs_error("task failed")
async def test_a_task_that_ends_without_leave_is_a_failure() -> None:
    async def ends() -> None:
        return None

    with pytest.raises(UnexpectedEndError, match="ends"):
        async with TaskOwner() as owner:
            owner.start("ends", ends)
            await forever()


async def test_a_task_that_may_end_ends_in_peace() -> None:
    done = asyncio.Event()

    async def once() -> None:
        done.set()

    async with TaskOwner() as owner:
        owner.start("once", once, may_end=True)
        await done.wait()


async def test_stopping_takes_the_youngest_first() -> None:
    order: list[str] = []

    def recording(name: str):  # type: ignore[no-untyped-def]  # a factory of jobs; its type says less than its name
        async def job() -> None:
            try:
                await forever()
            finally:
                order.append(name)

        return job

    async with TaskOwner() as owner:
        owner.start("first", recording("first"))
        owner.start("second", recording("second"))
        await asyncio.sleep(0)
    assert order == ["second", "first"]


async def test_an_error_of_the_body_is_not_replaced() -> None:
    with pytest.raises(KeyError):
        async with TaskOwner() as owner:
            owner.start("background", forever)
            raise KeyError("mine")


async def test_work_beside_a_block_goes_on_while_the_block_waits_and_is_done_after_it() -> None:
    heard = asyncio.Event()

    async def speak() -> str:
        heard.set()
        await asyncio.sleep(0)
        return "said"

    async with run_beside("speaking", speak()) as speaking:
        await heard.wait()
        assert not speaking.done()
    assert speaking.result() == "said"


async def test_a_failure_beside_is_raised_where_its_result_is_wanted() -> None:
    async def fail() -> None:
        raise LookupError

    async with run_beside("failing", fail()) as failing:
        pass
    with pytest.raises(LookupError):
        failing.result()


async def stay(ended: asyncio.Event) -> None:
    try:
        await forever()
    finally:
        ended.set()


async def test_a_block_that_fails_stops_what_is_beside_it_first() -> None:
    ended = asyncio.Event()
    with pytest.raises(ZeroDivisionError):
        async with run_beside("staying", stay(ended)):
            await asyncio.sleep(0)
            raise ZeroDivisionError
    assert ended.is_set()


async def test_a_block_that_is_cancelled_takes_what_is_beside_it_along() -> None:
    ended = asyncio.Event()

    async def whole() -> None:
        async with run_beside("staying", stay(ended)):
            pass

    task = asyncio.create_task(whole())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
