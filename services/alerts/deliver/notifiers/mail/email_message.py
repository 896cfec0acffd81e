"""The notifier `email`: a message with text and HTML, handed to a mail server.

All messages about an issue are one conversation: each answers the message that would have opened it (RFC 5322, 3.6.4).
`Auto-Submitted` (RFC 3834) keeps holiday replies away. A header line has at most 998 characters, which the library
folds; a subject is cut far earlier. The `Message-ID` is made of the `webhook-id`, so that a repeat is recognised.
"""

from collections.abc import Iterator
from datetime import UTC
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from typing import cast

from email_validator import EmailNotValidError, validate_email

from services.alerts.deliver.notifiers import verdicts
from services.alerts.deliver.notifiers.cutting import cut
from services.alerts.deliver.notifiers.notifier import (
    AddressUse,
    CredentialSpec,
    Notifier,
    NotifierTarget,
    NotifierVerdict,
    Outbound,
    OutboundMail,
    ReaderOptions,
    ReceiverReply,
)
from services.alerts.deliver.notifiers.told_message import ToldMessage
from services.alerts.deliver.notifiers.wording import WordedMessage, word_message

SUBJECT = 150
MOST_RECIPIENTS = 50
_DOMAIN = "waymark.invalid"
"""What stands behind the @ of our message ids: a name that nobody owns (RFC 2606)."""


class MailOptions(ReaderOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of e-mail: who sends, who receives (at most 50), and the user of the mail server if it wants one."""

    sender: str
    recipients: tuple[str, ...]
    username: str = ""


def render(message: ToldMessage, target: NotifierTarget) -> tuple[Outbound, ...]:
    """Return the message; it is the same bytes for the same attempt."""
    options = cast("MailOptions", target.options)
    worded = word_message(message, options)
    mail = _message(message, worded, target, options)
    envelope = OutboundMail(
        url=target.url,
        sender=options.sender,
        recipients=options.recipients,
        data=mail.as_bytes(policy=SMTP),
        username=options.username,
        password=target.credentials.get("password", ""),
    )
    return (envelope,)


def _message(message: ToldMessage, worded: WordedMessage, target: NotifierTarget, options: MailOptions) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = " ".join(cut(worded.plain(), SUBJECT).split())
    mail["From"] = Address(display_name="Waymark", addr_spec=options.sender)
    mail["To"] = ", ".join(options.recipients)
    mail["Date"] = message.timestamp.astimezone(UTC)
    mail["Message-ID"] = f"<{target.webhook_id}@{_DOMAIN}>"
    if message.issue is not None:
        root = f"<issue-{message.issue.id}@{_DOMAIN}>"
        mail["In-Reply-To"] = root
        mail["References"] = root
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(_text(message, worded, target), cte="base64")
    mail.add_alternative(_html(message, worded, target), subtype="html", cte="base64")
    return mail


def _links(message: ToldMessage, worded: WordedMessage, target: NotifierTarget) -> list[tuple[str, str]]:
    links = [(worded.label("open"), worded.url)] if worded.url else []
    if target.acknowledge_url and message.issue is not None and message.issue.state == "open":
        links.append((worded.label("acknowledge"), target.acknowledge_url))
    return links


def _text(message: ToldMessage, worded: WordedMessage, target: NotifierTarget) -> str:
    parts = [
        worded.plain(),
        worded.status,
        *worded.advice(),
        "\n".join(f"{name}: {value}" for name, value in worded.facts),
    ]
    if worded.steps:
        parts.append("\n".join([worded.label("journey"), *(f"  {step}" for step in worded.steps)]))
    parts += [f"{label}: {url}" for label, url in _links(message, worded, target)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _html(message: ToldMessage, worded: WordedMessage, target: NotifierTarget) -> str:
    rows = "".join(
        f'<tr><td style="padding:2px 12px 2px 0;color:#5f6b7a">{escape(name)}</td><td>{escape(value)}</td></tr>'
        for name, value in worded.facts
    )
    steps = "".join(f"<li>{escape(step)}</li>" for step in worded.steps)
    links = " &nbsp; ".join(
        f'<a href="{escape(url, quote=True)}">{escape(label)}</a>' for label, url in _links(message, worded, target)
    )
    parts = (
        f'<h2 style="border-left:6px solid {worded.colour};padding-left:10px">{escape(worded.plain())}</h2>',
        f"<p>{escape(worded.status)}</p>" if worded.status else "",
        f"<p>{escape(worded.why)}</p>" if worded.why else "",
        f"<p><b>{escape(worded.label('playbook'))}</b>: {escape(worded.playbook)}</p>" if worded.playbook else "",
        f"<table>{rows}</table>" if rows else "",
        f"<p><b>{escape(worded.label('journey'))}</b></p><ul>{steps}</ul>" if steps else "",
        f"<p>{links}</p>" if links else "",
    )
    body = "".join(parts)
    return f'<!doctype html><html lang="{worded.language}"><body style="font-family:sans-serif">{body}</body></html>'


def check(options: MailOptions) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the addresses: each is one address without a name, and there are 1 to 50 recipients."""
    if not 1 <= len(options.recipients) <= MOST_RECIPIENTS:
        yield "options.recipients", f"Give 1 to {MOST_RECIPIENTS} recipients."
    named = [("options.sender", options.sender)]
    named += [(f"options.recipients[{number}]", address) for number, address in enumerate(options.recipients)]
    for path, address in named:
        try:
            validate_email(address, check_deliverability=False, test_environment=True)
        except EmailNotValidError as error:
            yield path, f"{error} Give one address, such as care@example.com."


def judge(reply: ReceiverReply) -> NotifierVerdict:
    """Return what the mail server's code means: 4xx is tried again, 5xx is refused, 530 to 535 means the password."""
    code = reply.answer.status
    if code is not None and 200 <= code < 300:
        return verdicts.DELIVERED
    if code in {530, 534, 535}:
        return verdicts.REVOKED
    if code is not None and 500 <= code < 600:
        return verdicts.REFUSED
    if code is not None:
        return verdicts.AGAIN
    return verdicts.by_status(reply)


NOTIFIER = Notifier(
    kind="email",
    title_en="E-mail",
    title_ko="이메일",
    options=MailOptions,
    render=render,
    judge=judge,
    check=check,
    address=AddressUse.PUBLIC,
    schemes=frozenset({"smtp", "smtps"}),
    credentials=(CredentialSpec(name="password", description="Password of `username`.", required=False),),
)
