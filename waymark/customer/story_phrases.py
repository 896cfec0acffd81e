"""Phrases of one language and one time zone: numbers with their word, days, moments, lengths of time, outcomes."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from waymark.customer.story_words import StoryWords


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryPhrases:
    """Makes phrases; without a zone times are those of the machine."""

    words: StoryWords
    zone: tzinfo | None = None

    def counted(self, what: str, number: int) -> str:
        """Return a number with the word for what is counted."""
        one, many = self.words.plurals[what]
        return (one if number == 1 else many).format(n=number)

    def lasting(self, seconds: float) -> str:
        """Return a length of time in seconds or minutes."""
        if seconds < 90:
            return self.counted("seconds", round(seconds))
        return self.counted("minutes", round(seconds / 60))

    def outcome(self, outcome: str) -> str:
        """Return how something ended."""
        return self.words.outcomes.get(outcome, outcome.replace("_", " "))

    def day(self, at: datetime) -> str:
        """Return the day of a moment."""
        return at.astimezone(self.zone).strftime(self.words.day)

    def moment(self, at: datetime) -> str:
        """Return a moment, to the minute."""
        return at.astimezone(self.zone).strftime(self.words.moment)

    def channel(self, channel: str) -> str:
        """Return the name of a channel."""
        return self.words.channels.get(channel, channel)

    def severity(self, severity: str) -> str:
        """Return how bad something is."""
        return self.words.severities.get(severity, severity)
