import pytest
from pydantic import Field, model_validator

from services.runtime.settings import CommonSettings, Settings, SettingsError, load_with_common


class _Sample(Settings):
    env_prefix = "WAYMARK_SAMPLE_"

    port: int = Field(8080, ge=1, le=65535)
    host: str = "127.0.0.1"


def test_absent_variables_leave_the_defaults() -> None:
    assert _Sample.load({}) == _Sample(port=8080, host="127.0.0.1")


def test_an_empty_variable_counts_as_absent() -> None:
    assert _Sample.load({"WAYMARK_SAMPLE_PORT": ""}).port == 8080


def test_every_problem_is_reported_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        _Sample.load({"WAYMARK_SAMPLE_PORT": "99999", "WAYMARK_SAMPLE_HOTS": "::1"})
    assert len(caught.value.problems) == 2
    assert any("WAYMARK_SAMPLE_PORT" in problem for problem in caught.value.problems)
    assert "WAYMARK_SAMPLE_HOTS: no such setting; did you mean WAYMARK_SAMPLE_HOST?" in caught.value.problems


def test_the_shared_prefix_tolerates_the_names_of_services() -> None:
    settings = CommonSettings.load({"WAYMARK_SAMPLE_PORT": "1", "WAYMARK_KAFKA": "broker:9092"})
    assert settings.kafka == "broker:9092"


def test_the_database_url_does_not_show_in_a_log() -> None:
    settings = CommonSettings.load({"WAYMARK_POSTGRES": "postgresql://user:hidden@host/db"})
    assert "hidden" not in repr(settings)


class _Pair(Settings):
    env_prefix = "WAYMARK_PAIR_"

    low: int = 1
    high: int = 2

    @model_validator(mode="after")
    def _in_order(self) -> "_Pair":
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


def test_variables_that_do_not_fit_together_are_named_by_their_prefix() -> None:
    with pytest.raises(SettingsError, match=r"WAYMARK_PAIR_\*: .*low is above high"):
        _Pair.load({"WAYMARK_PAIR_LOW": "3"})


def test_the_problems_of_both_parts_are_reported_together() -> None:
    with pytest.raises(SettingsError) as caught:
        load_with_common({"WAYMARK_LOG_LEVEL": "loud", "WAYMARK_SAMPLE_PORT": "0"}, _Sample)
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "WAYMARK_LOG_LEVEL",
        "WAYMARK_SAMPLE_PORT",
    ]


def test_both_parts_come_together() -> None:
    common, sample = load_with_common({"WAYMARK_KAFKA": "b:1", "WAYMARK_SAMPLE_PORT": "9"}, _Sample)
    assert (common.kafka, sample.port) == ("b:1", 9)
