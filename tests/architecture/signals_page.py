"""`docs/signals.md` and `docs/signals.ko.md`: every signal, the rules that find it, where their limits come from.

`python -m tests.architecture.signals_page` writes them again; `make signals-page` runs it.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from schemas import data_files, kinds
from services.journey.rulebook import rules_file
from tests.architecture.tree import ROOT

PAGES = {"en": ROOT / "docs" / "signals.md", "ko": ROOT / "docs" / "signals.ko.md"}
TEXT = rules_file.DEFAULT.read_text(encoding="utf-8")
RULES: dict[str, dict[str, Any]] = {
    rule["id"]: rule for rule in data_files.parse(TEXT, dict[str, Any], name=rules_file.DEFAULT.name)["rules"]
}


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text in both languages."""

    en: str
    ko: str


class Signal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signal: the rules that find it, or what finds it `instead`."""

    name: Words
    rules: tuple[str, ...] = ()
    why: Words | None = None
    source: Words | None = None
    tune: Words | None = None
    instead: Words | None = None


SIGNALS = data_files.read(rules_file.DEFAULT.parent / "signals.yaml", dict[str, Signal])

_FAMILIES = {
    "D": {"en": "Web and app", "ko": "웹과 앱"},
    "C": {"en": "Contacts", "ko": "문의"},
    "A": {"en": "Promises and silence", "ko": "약속과 침묵"},
    "E": {"en": "Voice of the customer", "ko": "고객의 소리"},
    "F": {"en": "Delivery, stores, kiosks, devices", "ko": "배송, 매장, 키오스크, 기기"},
}

_HEAD = {
    "en": """\
# Signals: what the shipped rules find, and why their limits are what they are

*[한국어](signals.ko.md). `make signals-page` writes this page from `default.yaml` and `signals.yaml` of the
rulebook.*

**{on} of {all} rules are on.** The others cost nothing until you switch them on, one by one:

```yaml
extends: default
change:
  login_failures: {{enabled: true, at_least: 4}}
```

Try before you do: `waymark rules backtest mine.yaml --since 7d` says what a rule would have found last week, how
much of it you know already (`overlap`), and what your teams would have got. `waymark rules test
examples/rules/signals.yaml` runs the cases that show where each one fires.

On are rules that need only what most houses send. Some are friction by definition (a promise that was broken, a case
that was reopened, a customer who says so); those of repeated contacts and of cases were measured on a log of real
cases; the limits of `long_wait` and `checkout_abandoned` are our own. The others rest on limits that nobody has
measured on *your* customers, or on touchpoints that not every house sends; they are off until you have looked at a
week of them. [signals-measured.md](signals-measured.md) has what each found on a log of real cases and on the demo,
how much of it was right, and what it costs. How each shape decides stands in [rules.md](rules.md) and
[semantics.md](semantics.md).
""",
    "ko": """\
# 신호: 기본 규칙이 찾는 것과 그 기준의 근거

*[English](signals.md). 이 문서는 `make signals-page`가 rulebook의 `default.yaml`과 `signals.yaml`에서 만듭니다.*

**규칙 {all}개 중 {on}개가 켜져 있습니다.** 나머지는 켤 때까지 비용이 들지 않으며, 하나씩 켤 수 있습니다.

```yaml
extends: default
change:
  login_failures: {{enabled: true, at_least: 4}}
```

먼저 시험해 보세요. `waymark rules backtest mine.yaml --since 7d`는 지난주에 무엇을 찾았을지, 그중 이미 아는 것이
얼마인지(`overlap`), 팀이 무엇을 받았을지 보여 줍니다. `waymark rules test examples/rules/signals.yaml`은 규칙이
어디서 걸리는지 보여 주는 사례를 실행합니다.

켜져 있는 것은 대부분의 회사가 보내는 접점만 쓰는 규칙입니다. 일부는 정의상 불편이고(어긴 약속, 재접수,
고객이 직접 한 말), 반복 문의와 케이스에 관한 규칙은 실제 기록으로 재어 보았으며, `long_wait`와 `checkout_abandoned`의
기준은 저희가 정한 값입니다.
나머지는 기준을 *이 회사의* 고객으로 재어 본 적이 없거나, 모든 회사가 보내지는 않는 접점이 필요하므로 일주일 치를
살펴볼 때까지 꺼 둡니다. 실제 기록과 데모에서 찾은 것과 비용은 [signals-measured.ko.md](signals-measured.ko.md)에
있습니다. 규칙이 판단하는 방법은 [rules.md](rules.md)와 [semantics.md](semantics.md)(영어)에 있습니다.
""",
}

_LABELS = {
    "en": {
        "on": "on",
        "off": "off",
        "why": "Why",
        "send": "Send",
        "source": "Default",
        "tune": "Tune",
        "any": "contacts",
    },
    "ko": {
        "on": "켜짐",
        "off": "꺼짐",
        "why": "이유",
        "send": "보낼 것",
        "source": "기본값",
        "tune": "조정",
        "any": "문의",
    },
}


def page(language: str) -> str:
    """Return the text of the page in a language, `en` or `ko`."""
    on = sum(rule.get("enabled", True) for rule in RULES.values())
    parts = [_HEAD[language].format(on=on, all=len(RULES))]
    for letter, title in _FAMILIES.items():
        parts.append(f"\n## {title[language]}\n")
        parts += [_signal(code, one, language) for code, one in SIGNALS.items() if code.startswith(letter)]
    return "".join(parts)


def _signal(code: str, signal: Signal, language: str) -> str:
    labels = _LABELS[language]
    text = f"\n### {code}. {getattr(signal.name, language)}\n\n"
    if signal.instead is not None:
        return f"{text}{getattr(signal.instead, language)}\n"
    for id_ in signal.rules:
        rule = RULES[id_]
        state = labels["on" if rule.get("enabled", True) else "off"]
        text += f"`{id_}` ({state}): {rule['title'][language]}\n\n```yaml\n{_conditions(id_)}```\n\n"
    for name in ("why", "source", "tune"):
        text += f"- **{labels[name]}.** {getattr(getattr(signal, name), language)}\n"
    return text + f"- **{labels['send']}.** {_sent(signal, language)}\n"


def _conditions(id_: str) -> str:
    """Return the rule as the file has it, without its id and its texts."""
    lines = re.findall(rf"^  - id: {id_}\n(.*?)^    title:", TEXT, re.DOTALL | re.MULTILINE)[0]
    return re.sub(r"^    (?:enabled: .*\n)?", "", lines, flags=re.MULTILINE)


def _sent(signal: Signal, language: str) -> str:
    """Return the kinds that the rules of a signal look at, and the fields that they need beside them."""
    catalogue = kinds.load()
    found: dict[str, None] = {}
    fields: dict[str, None] = {}
    looked_at = [other for id_ in signal.rules for other in RULES[id_].get("frictions", ())]
    for id_ in dict.fromkeys((*signal.rules, *looked_at)):
        for name, value in _members(RULES[id_]):
            if name == "kind":
                named = value["not"] if isinstance(value, dict) else value
                found |= dict.fromkeys(f"`{kind}`" for kind in ([named] if isinstance(named, str) else named))
            elif name == "contacts" and value:
                found[_LABELS[language]["any"]] = None
            elif "." in name or name in _FIELDS:
                fields[f"`{name}`"] = None
            elif name in {"field", "distinct", "changes"}:
                fields[f"`{value}`"] = None
            elif name == "same":
                fields |= dict.fromkeys(f"`{field}`" for field in value)
    unknown = [name for name in found if name.startswith("`") and name.strip("`") not in catalogue]
    assert not unknown, f"{signal.rules}: {unknown} are no well-known kinds"
    return ", ".join(found) + ("" if not fields else f"; {', '.join(fields)}")


_FIELDS = frozenset({"outcome", "wait_s", "hold_s", "reason", "agent", "queue", "transfers", "due_at", "direction"})


def _members(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name not in {"closes_when", "title", "explanation", "playbook", "severity_by_service_level"}:
                yield name, value
                yield from _members(value)
    elif isinstance(node, list):
        for one in node:
            yield from _members(one)


def main() -> None:
    """Write the pages."""
    for language, path in PAGES.items():
        path.write_text(page(language), encoding="utf-8")


if __name__ == "__main__":
    main()
