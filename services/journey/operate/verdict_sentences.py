"""What an account of identity comes to, in a sentence for people, in English and Korean."""

from typing import Final, NamedTuple

from services.journey.domain.identity.evidence_path import IdentityVerdict


class VerdictSentence(NamedTuple):
    """One sentence in both languages."""

    en: str
    ko: str


_SENTENCES: Final = {
    IdentityVerdict.JOINED: VerdictSentence(
        "One customer: the links that are followed make them one.",
        "한 고객입니다. 따르는 링크가 하나로 묶습니다.",
    ),
    IdentityVerdict.ALONE: VerdictSentence(
        "One customer, known by this identifier alone: no link that is followed leads from it to another.",
        "이 식별자 하나로만 알려진 고객입니다. 다른 식별자로 이어지는 링크가 없습니다.",
    ),
    IdentityVerdict.SHARED: VerdictSentence(
        "Many people use this identifier, so it makes nobody one customer. A touchpoint with nothing else is with "
        "whoever was last known on it; where nobody was, those of it are kept together.",
        "여러 사람이 함께 쓰는 식별자라 누구도 하나로 묶지 않습니다. "
        "이것만 있는 접점은 마지막으로 알려진 사람에게 속하고, 아무도 알려지지 않았으면 그것끼리 따로 모입니다.",
    ),
    IdentityVerdict.BETWEEN: VerdictSentence(
        "Evidence of equal worth gives this identifier to several customers, so it belongs to none of them. A "
        "touchpoint with nothing else is with whoever was last known on it.",
        "같은 무게의 근거가 이 식별자를 여러 고객에게 주어 누구의 것도 아닙니다. "
        "이것만 있는 접점은 마지막으로 알려진 사람에게 속합니다.",
    ),
    IdentityVerdict.APART: VerdictSentence(
        "Different customers: what was seen of both together is not followed, for the reason shown.",
        "서로 다른 고객입니다. 함께 보인 근거를 표시된 까닭으로 따르지 않았습니다.",
    ),
    IdentityVerdict.MEET_ONLY: VerdictSentence(
        "Different customers: all they have in common is what several customers use, and that joins nobody.",
        "서로 다른 고객입니다. 공통점은 여러 고객이 함께 쓰는 식별자뿐이고, 이것은 아무도 묶지 않습니다.",
    ),
    IdentityVerdict.UNCONNECTED: VerdictSentence(
        "Different customers: nothing was ever seen that has to do with both.",
        "서로 다른 고객입니다. 두 고객을 잇는 것이 보인 적이 없습니다.",
    ),
}
_NOTHING_LEFT: Final = VerdictSentence(
    "Nothing is left of this customer: all identifiers and touchpoints are with others now.",
    "이 고객에게 남은 것이 없습니다. 식별자와 접점이 모두 다른 고객에게 갔습니다.",
)


def verdict_sentence(verdict: IdentityVerdict | None) -> VerdictSentence:
    """Return the sentence of a verdict; None is a customer of whom nothing is left."""
    return _NOTHING_LEFT if verdict is None else _SENTENCES[verdict]
