from dataclasses import fields

from waymark.demo.words import ENGLISH, KOREAN, DemoTexts


def test_both_languages_say_the_same_things() -> None:
    for field in fields(DemoTexts):
        english, korean = getattr(ENGLISH, field.name), getattr(KOREAN, field.name)
        if isinstance(english, dict):
            assert english.keys() == korean.keys(), field.name
