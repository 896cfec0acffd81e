"""Every parameter that libpq knows is in one list: followed, kept in another way, or refused with a mend."""

from pathlib import Path

import pytest
from psycopg import conninfo, pq

from services.runtime.addresses.libpq import (
    OTHER_NAMES,
    PARAMETERS,
    SYSTEM,
    ParameterForm,
    ParameterReach,
    is_for_commands,
)
from services.runtime.addresses.postgres_url import problems
from services.runtime.postgres.address import read
from tests.fixtures.authority import Authority

NAMES = sorted(option.keyword.decode() for option in pq.Conninfo.get_defaults())
URL = "postgresql://u:p@h/db"


def sample(name: str, folder: Path) -> str:
    """A value that libpq takes."""
    parameter = PARAMETERS[name]
    if parameter.form is ParameterForm.FILE:
        authority = Authority(folder, "authority")
        own = authority.sign("own")
        return str({"sslcert": own.cert, "sslkey": own.key}.get(name, authority.file))
    if parameter.choices:
        return parameter.choices[-1]
    return {ParameterForm.NUMBER: "3", ParameterForm.PORTS: "5432"}.get(parameter.form, "text")


def test_the_list_holds_what_libpq_knows_and_nothing_else() -> None:
    assert sorted(PARAMETERS) == NAMES
    assert set(OTHER_NAMES.values()) <= PARAMETERS.keys()


@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_goes_to_the_driver_or_is_kept_from_it_or_is_refused(name: str, tmp_path: Path) -> None:
    value = sample(name, tmp_path)
    url = f"{URL}?{name}={value}"
    found = [problem for problem in problems(url) if name != "sslcrl"]  # the sample is no list, which OpenSSL takes

    assert conninfo.conninfo_to_dict(url)[name] == value
    if PARAMETERS[name].refusal(value) is not None:
        assert len(found) == 1
        assert name in found[0]
        assert ": " in found[0], "what to give in its place"
        return
    assert found == []
    handed_on = f"{name}=" in read(url).dsn
    assert handed_on is (PARAMETERS[name].reach is ParameterReach.DRIVER)


@pytest.mark.parametrize("name", [name for name in NAMES if PARAMETERS[name].choices])
def test_no_choice_is_taken_that_libpq_lacks_and_all_are_reported(name: str) -> None:
    (problem,) = problems(f"{URL}?{name}=nothing")

    assert problem == f"{name} is none of {', '.join(PARAMETERS[name].choices)}"


@pytest.mark.parametrize(("other", "name"), OTHER_NAMES.items())
def test_what_other_drivers_call_a_parameter_is_refused_with_libpqs_name(other: str, name: str) -> None:
    (problem,) = problems(f"{URL}?{other}=x")

    assert problem.endswith(f"did you mean {name}?")


def test_encryption_that_services_cannot_do_is_not_left_out_in_silence() -> None:
    (problem,) = problems(f"{URL}?gssencmode=require")

    assert "sslmode=verify-full" in problem
    assert problems(f"{URL}?gssencmode=disable") == []


def test_demands_that_only_commands_keep_are_reported_and_preferences_are_not() -> None:
    asked = read(f"{URL}?channel_binding=require&require_auth=scram-sha-256&sslcertmode=allow&keepalives=1")

    assert asked.for_commands == ("channel_binding", "require_auth")
    assert not is_for_commands("channel_binding", "prefer")


def test_the_authorities_of_the_machine_need_the_full_check_and_give_a_context_of_it() -> None:
    (problem,) = problems(f"{URL}?sslmode=require&sslrootcert={SYSTEM}")
    assert "sslmode=verify-full" in problem
    for url in (f"{URL}?sslrootcert={SYSTEM}", f"{URL}?sslmode=verify-full&sslrootcert={SYSTEM}"):
        assert problems(url) == []
        address = read(url)
        assert address.tls is not None
        assert address.tls.check_hostname
        assert "ssl" not in address.dsn
    assert read(f"{URL}?sslmode=verify-full").tls is None


def test_files_for_tls_that_no_driver_could_use_are_refused_before_it_tries(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    own, other = authority.sign("own", password="opens"), authority.sign("other")
    text = tmp_path / "text.pem"
    text.write_text("hidden")

    def told(parameters: str) -> str:
        (problem,) = problems(f"{URL}?{parameters}")
        assert "hidden" not in problem
        return problem

    assert "sslrootcert holds no certificate in PEM" in told(f"sslrootcert={text}")
    assert "sslcrl holds no list" in told(f"sslcrl={text}")
    assert "not the key of the certificate" in told(f"sslcert={own.cert}&sslkey={other.key}")
    assert "sslpassword does not open the key" in told(f"sslcert={own.cert}&sslkey={own.key}&sslpassword=hidden")
    assert "not in PEM" in told(f"sslcert={text}&sslkey={own.key}")
    assert problems(f"{URL}?sslcert={own.cert}&sslkey={own.key}&sslpassword=opens") == []
