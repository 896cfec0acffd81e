"""Finds the encoding of a text file: from its byte order mark, from the mapping, else UTF-8, which is checked.

A file that is something else as a whole is refused, with what it looks like. A line here and there that is not, is the
business of whoever reads lines.
"""

import codecs
import re
from dataclasses import dataclass

from waymark.console import CommandError, say

SAMPLE_BYTES = 4 * 1024 * 1024
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINE_ENDS = re.compile(rb"\r\n|\r|\n")
_SUSPECTED = ["cp949", "cp932", "euc_jp", "gb18030", "big5", "cp1252", "cp1250", "mac_roman", "cp1251"]
_ALPHABETS = {
    "cp1252": (
        "äöüßé",
        "àâæçéèêëîïôœùûüÿ",
        "áéíñóúüºª",
        "áâãàçéêíóôõúüºª",
        "àèéìíòóùúº",
        "éèêëïöüóá",
        "åäöéü",
        "æøåéöäü",
        "áðéíóúýþæö",
    ),
    "cp1250": ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž"),
    "cp1254": ("çğıöşüâîûi",),
}
"""Letters beyond ASCII of the languages of a code page: German, French, Spanish, Portuguese, Italian, Dutch, Swedish,
Danish, Icelandic; Polish, Czech, Slovak, Hungarian, Romanian, Croatian; Turkish (whose İ is an i and a dot)."""
_NEARLY_ALL = 0.95
_JUDGED_BYTES = 256 * 1024
_MOST_LINES_SHOWN = 20_000
_FEW_BAD_LINES = 2
_SMALL_SHARE = 0.1
_EVERYDAY_BYTES = 2
"""Of a syllable in EUC-KR, which spells the rare ones letter by letter."""


class EncodingError(CommandError):
    """The file has another encoding than the one it is read in."""


def encoding_of(sample: bytes, declared: str | None, name: str) -> str:
    """Return the encoding to read a file in that begins with `sample`; `name` is for the error.

    Raises:
        EncodingError: most of it is in another one.
    """
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return encoding
    wide = _wide(sample)
    if declared is not None and _is_wide(declared):
        if wide is None and sample:
            raise _refusal(name, declared, likely_encoding(sample))
        return declared
    if wide is not None:
        raise _refusal(name, declared, wide)
    encoding = declared or "utf-8-sig"
    if _is_another(sample, encoding):
        raise _refusal(name, declared, likely_encoding(sample, but=encoding))
    return encoding


def encoding_of_few(sample: bytes, encoding: str) -> str | None:
    """Return what the lines look like that are not in `encoding`, where no other line is more than ASCII; else None."""
    count = _counted(sample, encoding)
    return likely_encoding(sample, but=encoding) if count.bad and not count.good else None


def likely_encoding(sample: bytes, *, but: str = "") -> str | None:
    """Return what text that is no plain ASCII looks like, by Python's name of it; None when nothing fits."""
    lines = [line for line in _LINE_ENDS.split(sample)[:_MOST_LINES_SHOWN] if not line.isascii()]
    judged = b"\n".join(lines)[:_JUDGED_BYTES]
    judged = judged[: judged.rfind(b"\n")] if len(judged) == _JUDGED_BYTES else judged
    if not judged:
        return None
    if _decodes(judged, "utf-8"):
        return "utf-8"
    if _is_korean(judged):
        return "cp949"
    if (japanese := _japanese(judged)) is not None:
        return japanese
    suspected = [one for one in _SUSPECTED if one not in ("cp949", but)]
    return _judged(judged, suspected)


def _judged(judged: bytes, suspected: list[str]) -> str | None:
    import charset_normalizer

    best = charset_normalizer.from_bytes(judged, cp_isolation=suspected).best()
    if best is None:
        return None
    alike = {best.encoding, *best.could_be_from_charset}
    if not alike.isdisjoint(_ALPHABETS) and (latin := _latin(judged)) is not None:
        return latin
    return next((one for one in ("cp1252", "cp932") if one in alike), best.encoding)


def _latin(judged: bytes) -> str | None:
    """The encoding in which nearly all letters beyond ASCII are those of one language; the first of several such.

    The code pages of Windows differ in a few letters, and what is common in one is a letter in the others, too.
    """
    shares = {encoding: _share_of_one_language(judged, encoding) for encoding in _ALPHABETS}
    best = max(shares, key=lambda encoding: shares[encoding])
    return best if shares[best] >= _NEARLY_ALL else None


def _share_of_one_language(judged: bytes, encoding: str) -> float:
    text = judged.decode(encoding, errors="replace")
    letters = [letter.lower()[0] for letter in text if letter > "\x7f" and letter.isalpha()]
    return max(sum(letter in alphabet for letter in letters) for alphabet in _ALPHABETS[encoding]) / max(
        len(letters), 1
    )


def _refusal(name: str, declared: str | None, likely: str | None) -> EncodingError:
    meant = declared or "UTF-8"
    if likely is None:
        return EncodingError(
            say(
                f"{name} is not in {meant}, and no encoding that we know fits; save it as UTF-8 or say its `encoding:`",
                f"{name} 파일의 인코딩이 {meant}이(가) 아닙니다. UTF-8로 저장하거나 `encoding:`을 적으세요",
            ),
            exit_code=2,
        )
    return EncodingError(
        say(
            f"{name} is not in {meant}; it looks like {likely}. Add to the mapping:\n  encoding: {likely}",
            f"{name} 파일의 인코딩이 {meant} 아닌 {likely}(으)로 보입니다. 대응 파일에 적으세요:\n  encoding: {likely}",
        ),
        exit_code=2,
    )


@dataclass(slots=True)
class _Count:
    lines: int = 0
    bad: int = 0
    first_is_bad: bool = False
    good: int = 0
    """Lines that are more than ASCII, and what is said of the encoding of such."""


def _is_another(sample: bytes, encoding: str) -> bool:
    """Whether not just a line here and there is in another encoding: the first, or many, and more than are right."""
    count = _counted(sample, encoding)
    return count.first_is_bad or (
        count.bad >= _FEW_BAD_LINES and count.bad > count.good and count.bad >= count.lines * _SMALL_SHARE
    )


def _counted(sample: bytes, encoding: str) -> _Count:
    count = _Count()
    whole = _LINE_ENDS.split(sample)
    if len(sample) >= SAMPLE_BYTES:
        whole.pop()  # cut by the end of the sample
    for number, line in enumerate(whole):
        count.lines += bool(line)
        if line.isascii():
            continue
        right = _decodes(line, encoding)
        count.good += right
        count.bad += not right
        count.first_is_bad = count.first_is_bad or not (right or number)
    return count


def _is_korean(judged: bytes) -> bool:
    """Whether it reads as Hangul in everyday syllables; Japanese and Chinese give rare ones, or none."""
    try:
        letters = [character for character in judged.decode("cp949") if character > "\x7f" and character.isalpha()]
    except UnicodeDecodeError:
        return False
    everyday = sum("가" <= letter <= "힣" and len(letter.encode("euc_kr")) == _EVERYDAY_BYTES for letter in letters)
    return bool(letters) and everyday >= 0.9 * len(letters)


def _japanese(judged: bytes) -> str | None:
    """The encoding in which a fifth of it is kana, as of any Japanese text; in the others kana are rare."""
    shares = {}
    for encoding in ("cp932", "euc_jp"):
        try:
            letters = [character for character in judged.decode(encoding) if character > "\x7f"]
        except UnicodeDecodeError:
            continue
        shares[encoding] = sum("ぁ" <= letter <= "ヿ" for letter in letters) / max(len(letters), 1)
    best = max(shares, key=lambda encoding: shares[encoding], default="")
    return best if best and shares[best] >= 0.2 else None


def _wide(sample: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark: every digit, comma and line end has zero bytes beside it."""
    head = sample[:4096]
    head = head[: len(head) // 4 * 4]
    if not head:
        return None
    zeros = [head[start::4].count(0) / (len(head) / 4) for start in range(4)]
    if min(zeros[1:]) > 0.9 and zeros[0] < 0.1:
        return "utf-32-le"
    if min(zeros[:3]) > 0.9 and zeros[3] < 0.1:
        return "utf-32-be"
    even, odd = (zeros[0] + zeros[2]) / 2, (zeros[1] + zeros[3]) / 2
    if odd > 0.15 and even < 0.05:
        return "utf-16-le"
    if even > 0.15 and odd < 0.05:
        return "utf-16-be"
    return None


def _is_wide(encoding: str) -> bool:
    return codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
