"""The notifier `template`: any JSON document of one's own, whose texts are templates, filled in leaf by leaf.

A text that is one expression (`{{ issue.count }}`) becomes its value, a number or a list; any other becomes a text. So
the result is JSON whatever the values are: a quotation mark in a title cannot break it. Jinja runs in its sandbox,
without functions, methods and loops over more than the message holds, and what comes out is bounded. The names are
`type`, `reason`, `sequence`, `timestamp`, `url`, `issue` (issue v1) and `about`. The request is signed by Standard
Webhooks.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.alerts.deliver.notifiers.documents import standard_webhook
from services.alerts.deliver.notifiers.encoding import encode
from services.alerts.deliver.notifiers.notifier import (
    AddressUse,
    CredentialSpec,
    Notifier,
    NotifierTarget,
    NotifierVerdict,
    Outbound,
    OutboundRequest,
    ReceiverReply,
    SignedOptions,
)
from services.alerts.deliver.notifiers.samples import sample_messages
from services.alerts.deliver.notifiers.told_message import ToldMessage

MOST_BYTES = 256_000
MOST_LEAF = 20_000
MOST_SOURCE = 20_000
_FILTERS = frozenset(
    {
        *("abs", "capitalize", "d", "default", "first", "float", "int", "join", "last", "length", "list", "lower"),
        *("replace", "reverse", "round", "sort", "string", "title", "tojson", "trim", "truncate", "unique", "upper"),
    }
)


class TemplateRefusedError(Exception):
    """A template cannot be read or filled in: `path` names its leaf, as `body.text`."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class TemplateOptions(SignedOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of a template: the body, and the header that carries the credential `token` (a bearer token)."""

    body: dict[str, Any]
    auth_header: str = "authorization"
    auth_prefix: str = "Bearer "


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja without anything that could run long or grow: no calls, and no multiplication or formatting of texts."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def is_safe_callable(self, obj: Any) -> bool:  # noqa: ARG002  nothing is
        return False

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if not numbers or operator == "**":
            raise TemplateError(f"{operator} is for numbers only here")
        return super().call_binop(context, operator, left, right)


def _environment() -> _Sandbox:
    sandbox = _Sandbox(undefined=StrictUndefined, autoescape=False)
    sandbox.filters = {name: work for name, work in sandbox.filters.items() if name in _FILTERS}
    sandbox.globals = {}
    return sandbox


_SANDBOX = _environment()


def fill_in(template: object, values: Mapping[str, Any], path: str = "body") -> Any:
    """Return the template with every text filled in.

    Raises:
        TemplateRefusedError: a text is no template, or names what the message does not have.
    """
    if isinstance(template, Mapping):
        return {str(name): fill_in(value, values, f"{path}.{name}") for name, value in template.items()}
    if isinstance(template, list | tuple):
        return [fill_in(value, values, f"{path}[{number}]") for number, value in enumerate(template)]
    return _leaf(template, values, path) if isinstance(template, str) else template


def _leaf(source: str, values: Mapping[str, Any], path: str) -> Any:
    if "{{" not in source and "{%" not in source:
        return source
    if len(source) > MOST_SOURCE:
        raise TemplateRefusedError(path, f"longer than {MOST_SOURCE} characters")
    text = source.strip()
    try:
        if text.startswith("{{") and text.endswith("}}") and text.count("{{") == 1 and "{%" not in text:
            return _plain_value(_SANDBOX.compile_expression(text[2:-2], undefined_to_none=False)(values))
        parts: list[str] = []
        room = MOST_LEAF
        for part in _SANDBOX.from_string(source).generate(values):
            room -= len(part)
            if room < 0:
                raise TemplateRefusedError(path, f"becomes longer than {MOST_LEAF} characters")
            parts.append(part)
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise TemplateRefusedError(path, str(error) or type(error).__name__) from error
    return "".join(parts)


def _plain_value(value: Any) -> Any:
    """Return the value of an expression if JSON has such a value; an undefined one raises."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain_value(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_value(inner) for inner in value]
    return str(value)  # raises for what is undefined


def render(message: ToldMessage, target: NotifierTarget) -> tuple[Outbound, ...]:
    """Return the signed request with the document that the template makes of a message.

    Raises:
        TemplateRefusedError: the template does not fit this message.
    """
    options = cast("TemplateOptions", target.options)
    body = encode(fill_in(options.body, template_values(message)))
    if len(body) > MOST_BYTES:
        raise TemplateRefusedError("body", f"becomes longer than {MOST_BYTES} bytes")
    headers = dict(target.signature(body))
    if token := target.credentials.get("token"):
        headers[options.auth_header.lower()] = options.auth_prefix + token
    return (OutboundRequest(url=target.url, body=body, headers=headers),)


def template_values(message: ToldMessage) -> dict[str, Any]:
    """Return the names that a template may use, with their values for `message`."""
    issue: dict[str, Any] = dict.fromkeys(_ISSUE_MEMBERS)
    return {
        "type": message.type,
        "reason": message.reason,
        "sequence": message.sequence,
        "timestamp": message.document.get("timestamp", ""),
        "url": message.url,
        "issue": {**issue, **message.about} if message.issue else None,
        "about": message.about,
    }


_ISSUE_MEMBERS = (
    *("journey_id", "channel", "reason", "service_level", "team", "refs", "frictions", "acknowledged_at"),
    *("acknowledged_by", "resolved_at", "resolved_by", "resolution", "snoozed_until", "merged_into", "timeline"),
)
"""Members of issue v1 that a document may lack; a template may name them all the same."""


def check(options: TemplateOptions) -> Iterator[tuple[str, str]]:
    """Yield what goes wrong when the template is filled in for sample messages of every kind, once for each leaf."""
    told: set[str] = set()
    for name, message in sample_messages().items():
        try:
            fill_in(options.body, template_values(message))
        except TemplateRefusedError as error:
            if error.path not in told:
                told.add(error.path)
                yield f"options.{error.path}", f"{error.reason} (for the message {name!r})"
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,63}", options.auth_header) or options.auth_header.lower() in _TAKEN:
        yield "options.auth_header", "It is no name of a header that you may set."


_TAKEN = frozenset(
    {
        *("host", "content-length", "content-type", "transfer-encoding", "connection", "te", "trailer", "upgrade"),
        *("webhook-id", "webhook-timestamp", "webhook-signature", "proxy-authorization", "x-forwarded-for", "cookie"),
    }
)


def judge(reply: ReceiverReply) -> NotifierVerdict:
    """Return what the status means."""
    return standard_webhook.judge(reply)


NOTIFIER = Notifier(
    kind="template",
    title_en="JSON of your own, from a template",
    title_ko="직접 만든 JSON 템플릿",
    options=TemplateOptions,
    render=render,
    judge=judge,
    check=check,
    address=AddressUse.PUBLIC,
    signed=True,
    credentials=(CredentialSpec(name="token", description="What the receiver authenticates us by.", required=False),),
)
