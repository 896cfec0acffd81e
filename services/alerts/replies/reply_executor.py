"""Carries out what readers of messages answer, once it is verified with the credential of their endpoint."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from services.alerts.deliver import credential_store, endpoint_store
from services.alerts.deliver.action_link import ActionLink, ActionLinks
from services.alerts.deliver.http.sender import EndpointSender, SendExtent
from services.alerts.inbox import actions, issue_details
from services.alerts.inbox.action_executor import ActionExecutor, ActionResult
from services.alerts.inbox.actions import ActionOutcome, ActionVerdict
from services.alerts.issues.model import Issue
from services.alerts.replies.signed_reply import (
    ReplyAction,
    SignedReply,
    pagerduty_signed,
    read_pagerduty,
    read_slack,
    slack_signed,
)
from services.runtime.clock import Clock
from services.runtime.credentials.sealing import CannotUnsealError, SecretSealer
from services.runtime.postgres.pools import Pool, acquire
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

ANSWER_WITHIN_S = 2.0
"""Seconds to tell the channel what was done: Slack gives the whole request three."""


class ReplyRefusedError(Exception):
    """A reply is not signed by the vendor of an endpoint of ours, or cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedIssue:
    """The issue that a link is about, and the name of the endpoint whose message held the link."""

    issue: Issue
    endpoint: str
    link: ActionLink


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyExecutor:
    """Verifies replies and executes them."""

    pool: Pool
    clock: Clock
    executor: ActionExecutor
    links: ActionLinks
    seal: SecretSealer
    sender: EndpointSender

    async def linked(self, token: str) -> LinkedIssue | None:
        """Return the issue of a link; None if the issue or the endpoint is gone.

        Raises:
            LinkRefusedError: the token is not ours, or its time is over.
        """
        link = self.links.read(token, self.clock.now())
        async with acquire(self.pool) as connection:
            endpoint = await endpoint_store.find_endpoint(connection, link.endpoint_id)
            issue = await issue_details.issue(connection, link.issue_id)
        if endpoint is None or issue is None:
            return None
        return LinkedIssue(issue=issue, endpoint=endpoint.name, link=link)

    async def take(self, linked: LinkedIssue, name: str) -> ActionResult | None:
        """Take the issue of a link in the name that its reader gave, or in that of the endpoint."""
        reply = SignedReply(
            endpoint_id=linked.link.endpoint_id,
            issue_id=linked.link.issue_id,
            action=ReplyAction.ACKNOWLEDGE,
            by=f"link:{name.strip() or linked.endpoint}",
        )
        return await self._act(reply)

    async def slack(self, body: bytes, headers: Mapping[str, str]) -> ActionResult | None:
        """Do what a button in Slack asks for; None if it asks for nothing or the issue is gone.

        Raises:
            ReplyRefusedError: it is not signed with the secret of its endpoint.
        """
        reply = _read(lambda: read_slack(body))
        if reply is None:
            return None
        secret = await self._credential(reply.endpoint_id, "signing_secret")
        if secret is None or not slack_signed(body, headers, secret, self.clock.now()):
            raise ReplyRefusedError
        result = await self._act(reply)
        if reply.response_url is not None and result is not None:
            await self._answer_in_slack(reply.response_url, reply, result)
        return result

    async def pagerduty(self, endpoint_id: UUID, body: bytes, headers: Mapping[str, str]) -> ActionResult | None:
        """Do what PagerDuty's webhook says was done there; None if that concerns no issue.

        Raises:
            ReplyRefusedError: it is not signed with the secret of the endpoint.
        """
        secret = await self._credential(endpoint_id, "webhook_secret")
        if secret is None or not pagerduty_signed(body, headers, secret):
            raise ReplyRefusedError
        reply = _read(lambda: read_pagerduty(body, endpoint_id))
        return None if reply is None else await self._act(reply)

    async def _credential(self, endpoint_id: UUID, name: str) -> str | None:
        async with acquire(self.pool) as connection:
            sealed = (await credential_store.sealed_of(connection, [endpoint_id])).get(endpoint_id, {})
        if name not in sealed:
            return None
        try:
            return credential_store.opened(endpoint_id, {name: sealed[name]}, self.seal)[name]
        except CannotUnsealError as error:
            _log.error("credentials cannot be opened", endpoint=str(endpoint_id), reason=str(error))
            return None

    async def _act(self, reply: SignedReply) -> ActionResult | None:
        now = self.clock.now()
        async with acquire(self.pool) as connection:
            endpoint = await endpoint_store.find_endpoint(connection, reply.endpoint_id)
        team = endpoint.team_id if endpoint else None
        return await self.executor.execute(
            reply.issue_id, lambda issue, superseded: _decide(reply, issue, team, superseded=superseded, now=now)
        )

    async def _answer_in_slack(self, url: str, reply: SignedReply, result: ActionResult) -> None:
        """Say in the channel what was done; a failure changes nothing and is logged."""
        words = {ReplyAction.ACKNOWLEDGE: "✋", ReplyAction.RESOLVE: "✅", ReplyAction.REOPEN: "↩️"}
        who = reply.by.partition(":")[2].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        done = result.outcome in {ActionOutcome.DONE, ActionOutcome.ALREADY}
        text = f"{words[reply.action]} {who}" if done else f"⚠️ {who}: {result.outcome}"
        body = msgspec.json.encode({"response_type": "in_channel", "replace_original": False, "text": text})
        sent = await self.sender.send(url, body, {}, extent=SendExtent(within_s=ANSWER_WITHIN_S))
        if sent.answer.status != 200:
            _log.warning("answer in Slack failed", status=sent.answer.status, reason=sent.answer.failure)


def _decide(reply: SignedReply, issue: Issue, team: UUID | None, *, superseded: bool, now: datetime) -> ActionVerdict:
    """Do it for the team of the endpoint; one that does not have the issue, as in a step of an escalation, for all."""
    match reply.action:
        case ReplyAction.ACKNOWLEDGE:
            its = team if any(share.id == team for share in issue.teams) else None
            return actions.acknowledge(issue, actor=reply.by, now=now, team=its)
        case ReplyAction.RESOLVE:
            return actions.resolve(issue, actor=reply.by, now=now, resolution="resolved")
        case ReplyAction.REOPEN:
            return actions.reopen(issue, actor=reply.by, now=now, superseded=superseded)


def _read(read: Callable[[], SignedReply | None]) -> SignedReply | None:
    try:
        return read()
    except (ValueError, msgspec.DecodeError):
        raise ReplyRefusedError from None
