"""The page behind a signed link, in English and Korean: what the issue is, and one button to take it."""

import base64
import hashlib
from html import escape

from services.alerts.issues.model import Issue, IssueState

_STYLE = (
    "body{font-family:sans-serif;max-width:32rem;margin:3rem auto;padding:0 1rem;line-height:1.5}"
    "button{font-size:1.1rem;padding:.6rem 1.4rem}input{font-size:1rem;padding:.4rem;width:100%;box-sizing:border-box}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex",
}
_TEXTS = {
    "ask": ("Take this issue?", "이 이슈를 맡으시겠습니까?"),
    "name": ("Your name, for the others", "다른 사람에게 보일 이름"),
    "button": ("Take it", "내가 맡기"),
    "taken": ("Taken by {by}.", "{by} 님이 맡았습니다."),
    "resolved": ("It is resolved already; there is nothing to do.", "이미 해결되어 할 일이 없습니다."),
    "expired": (
        "This link has expired. Open the issue in the console.",
        "링크가 만료되었습니다. 콘솔에서 이슈를 여세요.",
    ),
    "wrong": ("This link is not valid.", "올바르지 않은 링크입니다."),
}


def text(name: str, *, korean: bool, **values: str) -> str:
    """Return one of the page's sentences."""
    return _TEXTS[name][korean].format(**values)


def question(issue: Issue, *, korean: bool) -> str:
    """Return the page that shows the issue: with its button while it is open, else with what became of it."""
    title = issue.title.ko if korean else issue.title.en
    if issue.state is IssueState.OPEN:
        label = escape(text("name", korean=korean))
        form = (
            f'<form method="post"><p><label>{label}<br>'
            '<input name="name" maxlength="60" autocomplete="name"></label></p>'
            f"<p><button>{escape(text('button', korean=korean))}</button></p></form>"
        )
        return _page(text("ask", korean=korean), f"<p>{escape(title)}</p>{form}", korean=korean)
    return _page(title, f"<p>{escape(state_of(issue, korean=korean))}</p>", korean=korean)


def state_of(issue: Issue, *, korean: bool) -> str:
    """Return the sentence about an issue that is no longer open."""
    if issue.state is IssueState.RESOLVED:
        return text("resolved", korean=korean)
    by = (issue.acknowledged_by or "?").removeprefix("link:")
    return text("taken", korean=korean, by=by)


def notice(name: str, *, korean: bool) -> str:
    """Return a page with one sentence."""
    return _page("Waymark", f"<p>{escape(text(name, korean=korean))}</p>", korean=korean)


def _page(heading: str, body: str, *, korean: bool) -> str:
    language = "ko" if korean else "en"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
    body = f"<h1>{escape(heading)}</h1>{body}"
    return f'<!doctype html><html lang="{language}"><head>{head}<title>Waymark</title></head><body>{body}</body></html>'
