"""Times as people write them behind a flag: ISO 8601, with or without a zone."""

from datetime import UTC, datetime

from waymark.console import CommandError, say


def local_moment(flag: str, text: str) -> datetime:
    """Return the time in `text`, in the time zone of this machine where it names none; raises `CommandError`."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as error:
        raise CommandError(
            say(
                f"{flag} is no time: write 2026-11-22, 2026-11-22T09:15 or 2026-11-22T09:15:00+09:00",
                f"{flag}가 시각이 아닙니다. 2026-11-22, 2026-11-22T09:15 또는 2026-11-22T09:15:00+09:00처럼 써 주세요",
            ),
            exit_code=2,
        ) from error


def zoned_moment(text: str) -> datetime:
    """Return the time in `text` in its own zone, else in UTC; raises `CommandError`, also for what UTC has not."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        example = "2026-03-29T02:30+09:00"
        raise CommandError(
            say(f"{text!r} is no time; write {example}", f"{text!r}: 시각은 {example}"), exit_code=2
        ) from None
    return moment
