"""How a text feels, whose text it is, and that nothing else than the number leaves ingest."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.documents.touchpoint import SEALED_TEXT
from schemas.vocabulary import SentimentOrigin
from services.ingest.sentiment.estimator import MOST_CHARACTERS, SentimentEstimator
from services.ingest.sentiment.lexicon import Lexicon, WordList
from services.ingest.sentiment.lexicon_file import LexiconFileError, load, read, shipped
from services.runtime.settings import SettingsError
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench, a_touchpoint, bench_with

ESTIMATOR = SentimentEstimator(shipped())
ANGRY = "세 번째 전화인데 아직 해결이 안 됐어요"
SAID = {"kind": "message_received", "channel": "chat", "direction": "inbound"}


def told(text: str) -> float:
    value = ESTIMATOR.estimate(text).value
    assert value is not None
    return value


async def published(bench: IngestBench, **members: Any) -> tuple[float | None, SentimentOrigin | None]:
    """Post one touchpoint and return the sentiment on the topic, and whose it is."""
    await bench.post(a_touchpoint(**members))
    found = bench.publisher.touchpoints[-1]
    return found.sentiment, found.sentiment_by


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        ("I am very angry", "I am angry"),
        ("this is bad", "this is not bad"),
        ("this is not good", "this is good"),
        ("nice shop but terrible delivery", "terrible shop but nice delivery"),
        ("although it was terrible, it is great", "it is great"),
        ("it does not work", "it works"),
        ("still waiting for my parcel", "waiting for my parcel"),
        ("this is the third time I call", "this is the first time I call"),
        ("no answer 😡", "no answer"),
        ("정말 불편해요", "불편해요"),
        ("친절하지 않았어요", "친절했어요"),
        ("불편해요", "불편하지 않아요"),
        ("제품은 좋은데 배송이 최악이에요", "배송은 최악인데 제품이 좋아요"),
        ("안 좋아요", "좋아요"),
        ("아직도 안 왔어요", "왔어요, 감사합니다"),
        ("세 번째 전화입니다 짜증나요", "세 번째 전화입니다"),
        ("또 사이즈가 틀렸어요 ㅠㅠ", "사이즈가 맞아요"),
    ],
)
def test_one_text_feels_worse_than_the_other(worse: str, better: str) -> None:
    assert (ESTIMATOR.estimate(worse).value or 0) < (ESTIMATOR.estimate(better).value or 0)


@pytest.mark.parametrize(
    "text", ["", "   ", "주문번호는 A-5512입니다.", "My order number is A-5512.", "고마", "12345", "안"]
)
def test_what_tells_no_mood_has_none(text: str) -> None:
    assert ESTIMATOR.estimate(text).value is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("마음에 들어요", "마음에들어요"),
        ("세번째전화입니다", "세 번째 전화입니다"),
        ("I can’t complain", "I can't complain"),
        ("sooooo slow", "so slow"),
        ("TERRIBLE", "terrible"),
        ("dissapointed", "disappointed"),
        ("ㅠㅠㅠㅠㅠ", "ㅠㅠ"),
        ("😡😡😡", "😡"),
    ],
)
def test_however_it_is_written(one: str, other: str) -> None:
    assert told(one) == told(other)


def test_a_text_in_two_languages_is_read_in_both() -> None:
    assert {one.word for one in ESTIMATOR.estimate("서비스 최악 terrible").findings} == {"최악", "terrible"}


def test_of_a_long_text_the_end_counts() -> None:
    assert ESTIMATOR.estimate("terrible. " + "x " * MOST_CHARACTERS).value is None


@given(st.text(max_size=300))
def test_any_text_has_a_value_between_both_ends(text: str) -> None:
    value = ESTIMATOR.estimate(text).value
    assert value is None or -1 < value < 1
    assert ESTIMATOR.estimate(text).value == value


async def test_the_customers_text_tells_the_mood(bench: IngestBench) -> None:
    value, by = await published(bench, text=ANGRY, direction="inbound")
    assert value is not None
    assert (value < -0.4, by) == (True, SentimentOrigin.LEXICON)


@pytest.mark.parametrize("said", [-0.1, 0, 1])
async def test_the_producers_word_stands(bench: IngestBench, said: float) -> None:
    assert await published(bench, text=ANGRY, direction="inbound", sentiment=said) == (said, None)


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"kind": "message_sent", "channel": "chat", "direction": "outbound"}, id="the company"),
        pytest.param({"kind": "bot_replied", "channel": "chat"}, id="a bot"),
        pytest.param(
            {"kind": "bot_replied", "channel": "chat", "direction": "inbound"}, id="a bot, said to be inbound"
        ),
        pytest.param({**SAID, "direction": "outbound"}, id="outbound"),
        pytest.param({"kind": "call_ended"}, id="nobody knows who"),
        pytest.param({"kind": "search_no_result", "channel": "web"}, id="what was searched for"),
    ],
)
async def test_what_somebody_else_wrote_does_not(bench: IngestBench, members: dict[str, Any]) -> None:
    assert await published(bench, text=ANGRY, **members) == (None, None)


@pytest.mark.parametrize("kind", ["message_received", "complaint_made", "survey_answered", "acme.letter_received"])
async def test_every_kind_in_which_the_customer_speaks(bench: IngestBench, kind: str) -> None:
    _, by = await published(bench, text=ANGRY, kind=kind, channel="email", direction="inbound")
    assert by is SentimentOrigin.LEXICON


async def test_a_published_touchpoint_that_is_sent_again_is_read_again(bench: IngestBench) -> None:
    value, by = await published(bench, **SAID, text=ANGRY, sentiment=0.9, sentiment_by="model")
    assert value is not None
    assert (value < 0, by) == (True, SentimentOrigin.LEXICON)


async def test_it_can_be_switched_off(clock: SteppingClock) -> None:
    bench = await bench_with(clock, sentiment_from_text="false").started()
    assert await published(bench, **SAID, text=ANGRY) == (None, None)


@pytest.mark.parametrize(("treatment", "known"), [("keep", True), ("hmac", True), ("encrypt", True), ("drop", False)])
async def test_of_a_text_that_is_dropped_nothing_is_known(
    clock: SteppingClock, tmp_path: Path, treatment: str, known: bool
) -> None:
    policy = tmp_path / "privacy.yaml"
    policy.write_text(json.dumps({"default": {"text": treatment}}), encoding="utf-8")
    long = "a-secret-that-is-long-enough-for-every-use"
    bench = await bench_with(clock, privacy=str(policy), privacy_secret=long, privacy_keys=long).started()

    value, by = await published(bench, **SAID, text=ANGRY)

    assert ((value is not None), (by is not None)) == (known, known)
    assert (SEALED_TEXT in bench.publisher.touchpoints[-1].attributes) == (treatment == "encrypt")


async def test_the_producers_own_stays_though_the_text_is_dropped(clock: SteppingClock, tmp_path: Path) -> None:
    policy = tmp_path / "privacy.yaml"
    policy.write_text("default: {text: drop}", encoding="utf-8")
    bench = await bench_with(clock, privacy=str(policy)).started()
    assert await published(bench, **SAID, text=ANGRY, sentiment=-0.3) == (-0.3, None)


async def test_words_of_the_house_lie_over_the_shipped_ones(clock: SteppingClock, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("ko: {words: {깡통전세: -3, 최악: 0}}\nen: {words: {rugpull: -3}}", encoding="utf-8")
    bench = await bench_with(clock, sentiment=str(own)).started()

    assert (await published(bench, **SAID, text="깡통전세네요"))[0] == -0.77
    assert (await published(bench, **SAID, id="2", text="totally a rugpull"))[0] == -0.85
    assert await published(bench, **SAID, id="3", text="최악") == (None, None)
    assert (await published(bench, **SAID, id="4", text="terrible"))[1] is SentimentOrigin.LEXICON


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ko: {word: {최악: -3}}", "there is no `word` here; did you mean `words`? (line 1)"),
        ("en:\n  words:\n    awful: -9", "Expected `float` >= -3.0 (line 3)"),
        ("en:\n  words:\n    awful: bad", "Expected `float`, got `str` (line 3)"),
        ("en:\n  words:\n    Awful: -1", "en.words.Awful: write it in small letters, as texts are read (line 3)"),
        (
            "ko:\n  words:\n    짜증*: -1",
            "leave out the `*`; a Korean stem stands for all that begins with it (line 3)",
        ),
        ("en:\n  negators: [^no]", "leave out the `^`; an English word always begins one (line 2)"),
        ("ko:\n  words:\n    ^: -1", "there is no word here (line 3)"),
        ("ko:\n  words:\n    최악: -3\n    최악: -2", "최악 is given twice, in line 3 and line 4"),
        ("en: {words: {no: -1}}", "Expected `str`"),
        ("en: [", "is no YAML"),
        ("jp: {}", "there is no `jp` here; there are en, ko, signs (line 1)"),
    ],
)
def test_mistakes_in_a_file_are_told_with_file_and_line(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(LexiconFileError) as refused:
        read(file)

    assert any(problem in one and one.startswith(str(file)) for one in refused.value.problems), refused.value.problems


def test_ingest_does_not_start_with_a_wrong_file(clock: SteppingClock, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("ko: {wrods: {}}", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"WAYMARK_INGEST_SENTIMENT: .*did you mean `words`\?"):
        bench_with(clock, sentiment=str(file))


def test_every_list_of_a_file_is_laid_over(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(
        "en: {needed: [sync*], negators: [nope], factors: {mega: 2}, contrasts: [alas], concessions: [albeit]}\n"
        "signs: {'🐌': -1}",
        encoding="utf-8",
    )
    estimator = SentimentEstimator(load(str(file)))
    values = [estimator.estimate(text).value or 0 for text in ("does not sync", "nope good", "mega good", "good", "🐌")]
    assert values[0] < 0
    assert values[1] < 0 < values[3] < values[2]
    assert values[4] < 0
    assert (estimator.estimate("bad alas good").value or 0) > (estimator.estimate("bad and good").value or 0)
    assert (estimator.estimate("albeit good").value or 0) < values[3]


def test_a_lexicon_without_words_tells_nothing() -> None:
    assert SentimentEstimator(Lexicon(en=WordList())).estimate("terrible 최악 😡").value is None
