"""Master keys from a mounted file: one a line, and every mistake says how to put it right."""

from pathlib import Path

import pytest

from services.alerts.settings import AlertsSettings
from services.runtime.settings import SettingsError


def load(**environ: str) -> AlertsSettings:
    return AlertsSettings.load({f"WAYMARK_ALERTS_{name}": value for name, value in environ.items()})


def test_a_file_has_one_key_a_line(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("n" * 32 + "\n\n" + "o" * 40 + "\n")

    assert load(SECRET_KEYS_FILE=str(file)).master_keys == ("n" * 32, "o" * 40)


@pytest.mark.parametrize(
    ("content", "keys", "said"),
    [
        ("short\n", "", "at least 32 characters"),
        ("", "", "one master key a line"),
        (None, "", "cannot be read"),
        ("n" * 32, "k" * 32, "not both"),
    ],
)
def test_a_file_that_will_not_do_is_refused_at_the_start(
    tmp_path: Path, content: str | None, keys: str, said: str
) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_text(content)

    with pytest.raises(SettingsError) as refused:
        load(SECRET_KEYS_FILE=str(file), SECRET_KEYS=keys)

    [problem] = refused.value.problems
    assert said in problem
    assert "k" * 32 not in problem
