from waymark.demo.bars import bar


def test_bars_are_to_the_scale_of_the_largest() -> None:
    assert [len(bar(count, 131, 40)) for count in (131, 83, 40, 1)] == [40, 25, 12, 1]


def test_nothing_has_no_bar() -> None:
    assert (bar(0, 131, 40), bar(0, 0, 40)) == ("", "")
