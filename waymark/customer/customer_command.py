"""`waymark customer`: who a customer is, what happened to them, and where it got hard, told as one story."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from waymark.console import is_korean, out, say
from waymark.moments import local_moment
from waymark.options import AsJson, JourneyApiUrl, ReadKey, examples

if TYPE_CHECKING:
    from waymark.customer.customer_reading import CustomerAnswers
    from waymark.customer.customer_story import CustomerStory, StoryMoment
    from waymark.customer.story_words import StoryWords

MOST_LANES = 6
"""Channels that are drawn as lanes; more are written out."""

Reference = Annotated[
    str,
    typer.Argument(
        metavar="TYPE:VALUE",
        help=say("Any identifier, or a customer id.", "식별자(유형:값) 또는 고객 ID."),
        show_default=False,
    ),
]
Whole = Annotated[
    bool,
    typer.Option("--timeline", help=say("Every touchpoint, not only the latest.", "최근 것만이 아니라 모든 접점.")),
]
Last = Annotated[int, typer.Option("--last", min=1, help=say("How many of the latest touchpoints.", "최근 접점 수."))]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="TIME",
        help=say(
            "How it stood then, by what was known: RFC 3339, your time zone if it names none.",
            "그때 알려진 것으로 본 모습: RFC 3339, 시간대가 없으면 현지 시간.",
        ),
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add `customer` to the application."""
    app.command(
        "customer",
        help=say(
            "Tell one customer's story: who they are and why, which issues and journeys are open, what happened on "
            "which channel, what they said, and where it got hard, with the touchpoints that each friction rests on.",
            "고객 한 명의 이야기를 들려줍니다. 누구이고 왜 한 사람인지, 어떤 이슈와 여정이 열려 있는지, 어느 채널에서 "
            "무슨 일이 있었고 무슨 말을 했는지, 어디서 불편을 겪었는지를 근거 접점과 함께 보여 줍니다.",
        ),
        epilog=examples(
            "waymark customer phone:010-1234-5678",
            "waymark customer customer_id:C-1009 --timeline",
            "waymark customer customer_id:C-1009 --as-of 2026-11-22T09:15",
            "waymark customer email:minseo@mail.example --json | jq .customer.effort",
        ),
    )(customer)


def customer(
    reference: Reference,
    *,
    whole: Whole = False,
    last: Last = 20,
    as_of: AsOf = None,
    key: ReadKey = None,
    url: JourneyApiUrl = None,
    as_json: AsJson = False,
) -> None:
    """Print the story, or what the API said."""
    from waymark.customer.customer_reading import CustomerReader
    from waymark.journey_api import open_journey_api

    moment = None if as_of is None else local_moment("--as-of", as_of)
    with open_journey_api(url, key) as api:
        answers = CustomerReader(api=api).read(reference, None if whole else last, moment)
    if as_json:
        _print_document(answers)
    else:
        _print_story(answers)


def _print_document(answers: "CustomerAnswers") -> None:
    import msgspec

    document = {
        "customer": answers.raw_customer,
        "why": answers.raw_why,
        "contacts": answers.raw_contacts,
        "touchpoints": answers.raw_touchpoints,
        "earlier": answers.earlier,
    }
    out.file.write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")


def _print_story(answers: "CustomerAnswers") -> None:
    from schemas.kinds import load as load_kinds
    from waymark.customer.customer_story import StoryTeller
    from waymark.customer.story_words import ENGLISH, KOREAN

    words = KOREAN if is_korean() else ENGLISH
    story = StoryTeller(words=words, kinds=load_kinds()).tell(answers)
    for line in (*story.opening, *story.left_out):
        out.print(line, markup=False, highlight=False)
    for drawn_line in drawn(story, words):
        out.print(drawn_line)


def drawn(story: "CustomerStory", words: "StoryWords") -> list[Text]:
    """Return the moments as lines: a lane for each channel where there are few, else its name."""
    lanes = story.channels if len(story.channels) <= MOST_LANES else []
    names = {channel: words.channels.get(channel, channel) for channel in story.channels}
    widths = {channel: Text(names[channel]).cell_len for channel in lanes}
    lines = [Text()]
    if lanes:
        lines.append(Text("  ".join(names[channel] for channel in lanes), style="cyan"))
    empty = _lanes(widths, None)
    for moment in story.moments:
        if moment.pause:
            lines.append(Text.assemble(empty, (f"── {moment.pause} ──", "dim")))
        lead = _lanes(widths, moment.channel) if lanes else Text()
        where = "" if lanes else f"{names[moment.channel]}: "
        lines += _told(moment, lead, empty, where)
    return lines


def _told(moment: "StoryMoment", lead: Text, empty: Text, where: str) -> list[Text]:
    indent = " " * 18
    marks = (f"  {moment.marks}" if moment.marks else "", "bold red")
    lines = [Text.assemble(lead, (f"{moment.at:%Y-%m-%d %H:%M}  ", "dim"), where, moment.sentence, marks)]
    if moment.quote:
        lines.append(Text.assemble(empty, indent, (moment.quote, "italic")))
    return [*lines, *(Text.assemble(empty, indent, (pin, "yellow")) for pin in moment.pins)]


def _lanes(widths: dict[str, int], channel: str | None) -> Text:
    """Return one lane for each channel, with a dot in that of `channel`."""
    parts: list[tuple[str, str]] = []
    for one, width in widths.items():
        left = (width - 1) // 2
        parts.append((" " * left + ("●" if one == channel else "│") + " " * (width - left + 1), "cyan"))
    return Text.assemble(*parts)
