from dataclasses import fields

from waymark.demo.words import ENGLISH, KOREAN, DemoTexts, texts_of


def test_the_locale_chooses_the_language() -> None:
    assert texts_of("ko_KR.UTF-8") is KOREAN
    assert texts_of("en_US.UTF-8") is ENGLISH
    assert texts_of("") is ENGLISH


def test_both_languages_say_the_same_things() -> None:
    for field in fields(DemoTexts):
        english, korean = getattr(ENGLISH, field.name), getattr(KOREAN, field.name)
        if isinstance(english, dict):
            assert english.keys() == korean.keys(), field.name
