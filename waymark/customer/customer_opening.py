"""How a customer's story opens: who they are and why, what is open and how hard it is, how they turned to us lately."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from waymark.customer.customer_documents import (
    AnswerContact,
    AnswerCustomer,
    AnswerEvidence,
    AnswerFriction,
    AnswerIssue,
    AnswerJourney,
    AnswerProgress,
)
from waymark.customer.customer_reading import CustomerAnswers
from waymark.customer.story_phrases import StoryPhrases

MOST_EVIDENCE = 3
"""Pieces of evidence that are told of each sort; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryOpening:
    """Makes the first lines of a story."""

    phrases: StoryPhrases

    def lines(self, answers: CustomerAnswers, standing: Sequence[AnswerFriction]) -> Iterator[str]:
        """Yield the lines; `standing` are the frictions that were not taken back."""
        customer = answers.customer
        yield from self._who(answers)
        yield from self._issues(customer)
        yield from self._journeys(customer)
        yield from self._contacts(answers)
        retracted = len(customer.frictions) - len(standing)
        if retracted:
            yield self.phrases.words.retracted.format(frictions=self.phrases.counted("frictions", retracted))
        if standing:
            yield self.phrases.words.frictions.format(frictions=self.phrases.counted("standing", len(standing)))

    def _who(self, answers: CustomerAnswers) -> Iterator[str]:
        words, customer = self.phrases.words, answers.customer
        yield words.known_by.format(
            identifiers=", ".join(
                f"{one.type} {one.value}" + (f" ({words.verified})" if one.verified else "")
                for one in customer.identifiers
            )
        )
        yield from self._why(answers)
        if customer.merged_from:
            yield words.same_person.format(customers=self.phrases.counted("customers", len(customer.merged_from)))
        if customer.first_seen_at and customer.last_seen_at:
            level = words.levels.get(customer.service_level or "", "")
            first, last = self.phrases.day(customer.first_seen_at), self.phrases.day(customer.last_seen_at)
            yield words.seen.format(level=level, first=first, last=last)

    def _why(self, answers: CustomerAnswers) -> Iterator[str]:
        words = self.phrases.words
        if answers.why is None:
            return
        held_by, refused = answers.why.held_by, answers.why.refused
        for one in held_by[:MOST_EVIDENCE]:
            yield self._evidence(one)
        for one in refused[:MOST_EVIDENCE]:
            reason = words.refusals.get(one.refusal or "", (one.refusal or "").replace("_", " "))
            yield words.refused.format(one=_named(one.one), other=_named(one.other), refusal=reason)
        left_out = max(0, len(held_by) - MOST_EVIDENCE) + max(0, len(refused) - MOST_EVIDENCE)
        if left_out:
            evidence = self.phrases.counted("evidence", left_out)
            yield words.more_evidence.format(evidence=evidence, reference=held_by[0].one if held_by else refused[0].one)

    def _evidence(self, one: AnswerEvidence) -> str:
        words = self.phrases.words
        said = {"one": _named(one.one), "other": _named(one.other), "when": self.phrases.day(one.seen_at)}
        if not one.source:
            return words.held_by_word.format(**said)
        trust = words.trusts.get(one.trust, one.trust)
        return words.held_by.format(**said, trust=trust, touchpoint=f"{one.source} {one.touchpoint_id}")

    def _issues(self, customer: AnswerCustomer) -> Iterator[str]:
        words = self.phrases.words
        if customer.issues_from is None:  # how it stood then: issues are about now
            return
        if customer.issues_from in words.issues_unknown:
            yield words.issues_unknown[customer.issues_from]
        elif not customer.issues:
            yield words.no_issue
        else:
            yield words.issues.format(issues=self.phrases.counted("issues", len(customer.issues)))
            for issue in customer.issues:
                yield self._issue(issue)

    def _issue(self, issue: AnswerIssue) -> str:
        words, phrases = self.phrases.words, self.phrases
        who = ", ".join(one for one in (issue.team, issue.owner) if one)
        about = [
            words.taken.format(who=who) if who else "",
            words.by_when.format(when=phrases.moment(issue.respond_by))
            if issue.respond_by and issue.state == "open" and not issue.quiet
            else "",
            words.snoozed.format(when=phrases.moment(issue.snoozed_until)) if issue.snoozed_until else "",
            words.held if issue.held_by else "",
            words.quiet if issue.quiet else "",
        ]
        severity = phrases.severity(issue.severity)
        return words.issue.format(
            severity=severity[:1].upper() + severity[1:],
            priority="" if issue.priority is None else words.priority.format(priority=issue.priority),
            title=getattr(issue.title, words.language),
            frictions=phrases.counted("frictions", issue.count),
            state=words.issue_states.get(issue.state, issue.state),
            since=phrases.moment(issue.opened_at),
            about="".join(about),
        )

    def _journeys(self, customer: AnswerCustomer) -> Iterator[str]:
        if not customer.journeys:
            yield self.phrases.words.no_journey
            return
        journeys = self.phrases.counted("journeys", len(customer.journeys))
        yield self.phrases.words.effort.format(effort=customer.effort, journeys=journeys)
        for journey in customer.journeys:
            yield self._journey(journey)
            for progress in journey.progress:
                yield self._progress(progress)

    def _journey(self, journey: AnswerJourney) -> str:
        words, phrases = self.phrases.words, self.phrases
        refs = [f"{name} {value}" for name, value in journey.refs.items()]
        what = ", ".join([*([journey.reason] if journey.reason else []), *refs])
        return words.journey.format(
            state=words.states.get(journey.state, journey.state),
            about=words.journey_about.format(what=what) if what else "",
            contacts=phrases.counted("contacts", journey.contact_count),
            touchpoints=phrases.counted("touchpoints", journey.touchpoint_count),
            since=phrases.day(journey.opened_at),
            outcome=f", {phrases.outcome(journey.outcome)}" if journey.outcome else "",
            effort=journey.effort,
        )

    def _progress(self, one: AnswerProgress) -> str:
        words, phrases = self.phrases.words, self.phrases
        said = {"definition": _spoken(one.definition), "stage": _spoken(one.stage)}
        if one.end is not None and one.ended_at is not None:
            return words.ended.format(**said, end=words.ends.get(one.end, one.end), when=phrases.day(one.ended_at))
        due = "" if one.due_at is None else words.stage_due.format(when=phrases.moment(one.due_at))
        return words.stage.format(
            **said, since=phrases.day(one.stage_since), due=due + (words.stage_overdue if one.overdue else "")
        )

    def _contacts(self, answers: CustomerAnswers) -> Iterator[str]:
        contacts = answers.contacts.contacts
        if not contacts:
            return
        what = "all_contacts" if answers.contacts.next_cursor is None else "latest_contacts"
        yield self.phrases.words.contacts.format(contacts=self.phrases.counted(what, len(contacts)))
        for one in contacts:
            about = "".join(f", {said}" for said in self._contact(one))
            yield self.phrases.words.contact.format(
                when=self.phrases.moment(one.contacted_at), channel=self.phrases.channel(one.channel), about=about
            )

    def _contact(self, one: AnswerContact) -> Iterator[str]:
        words, phrases = self.phrases.words, self.phrases
        if one.reason:
            yield words.about.format(reason=one.reason)
        if one.outcome:
            yield phrases.outcome(one.outcome)
        if one.turn_count > 1:
            yield words.turns.format(turns=phrases.counted("turns", one.turn_count))
        if one.first_reply_after_s is not None:
            yield words.first_reply.format(time=phrases.lasting(one.first_reply_after_s))
        if one.handed_over_at is not None:
            yield words.handed_over
        if one.wait_s:
            yield words.wait.format(time=phrases.lasting(one.wait_s))
        if one.transfers:
            yield words.transfers.format(transfers=phrases.counted("transfers", one.transfers))


def _named(reference: str) -> str:
    """Return an identifier as the story names it: `phone:+82…` as `phone +82…`."""
    return reference.replace(":", " ", 1)


def _spoken(id_: str) -> str:
    """Return an id of a definition or a stage as words."""
    return id_.replace("_", " ")
