"""What deploy/ promises: nothing is open to the network, runs as root, or floats, and the parts fit together."""

import re
from typing import Any

import pytest
import yaml

from tests.architecture.monitoring_files import DASHBOARDS, dashboard
from tests.architecture.tree import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name for name, service in SERVICES.items() if "build" in service}
WITH_ENGINES = {"ingest", "journey", "journey-api", "alerts"}
PROCESSES = WITH_ENGINES | {"console"}
DOCKERFILES = sorted((ROOT / "deploy" / "docker").glob("*.Dockerfile"))


def test_every_process_is_there() -> None:
    assert PROCESSES <= OURS
    assert [path.stem for path in DOCKERFILES] == ["alerts", "console", "ingest", "journey"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_ports_are_bound_to_loopback(name: str) -> None:
    assert [port for port in SERVICES[name].get("ports", []) if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_container_has_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]

    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "network_mode", "pid", "devices"} & set(service)
    if name in OURS:
        assert service["read_only"] is True
        assert "cap_add" not in service


@pytest.mark.parametrize("name", sorted(set(SERVICES) - OURS))
def test_an_image_of_others_is_pinned_to_an_exact_version(name: str) -> None:
    assert re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)?$", SERVICES[name]["image"])


@pytest.mark.parametrize("name", sorted(WITH_ENGINES))
def test_a_process_waits_for_what_it_needs_and_says_when_it_is_ready(name: str) -> None:
    service = SERVICES[name]
    waits = {needed: how["condition"] for needed, how in service["depends_on"].items()}

    assert waits == {
        "kafka": "service_healthy",
        "postgres": "service_healthy",
        "topics": "service_completed_successfully",
        "roles": "service_completed_successfully",
    }
    assert "/readyz" in service["healthcheck"]["test"][-1]
    assert service["stop_grace_period"] == "35s"


def test_the_console_waits_for_nobody_and_has_neither_database_nor_kafka() -> None:
    console = SERVICES["console"]

    assert "depends_on" not in console
    assert "/readyz" in console["healthcheck"]["test"][-1]
    assert {name for name in console["environment"] if name.startswith(("WAYMARK_POSTGRES", "WAYMARK_KAFKA"))} == set()


def test_a_process_reaches_the_database_with_a_role_of_its_own() -> None:
    users = {
        name: re.match(r"postgresql://(\w+):", SERVICES[name]["environment"]["WAYMARK_POSTGRES"])
        for name in WITH_ENGINES
    }

    assert {name: user and user[1] for name, user in users.items()} == {
        "ingest": "waymark_ingest",
        "journey": "waymark_journey",
        "journey-api": "waymark_journey",
        "alerts": "waymark_alerts",
    }


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_an_image_runs_as_nobody_in_particular(path: Any) -> None:
    final = path.read_text(encoding="utf-8").rpartition("\nFROM ")[2]

    assert "\nUSER 10001:10001\n" in final
    assert "\nHEALTHCHECK " in final
    assert "/livez" in final
    assert "--from=build /venv /venv" in final
    assert not re.search(r"apt-get|gcc|uv pip", final)


def test_images_are_built_alike_of_one_python() -> None:
    built = [path.read_text(encoding="utf-8").partition("\nFROM ")[2].rpartition("\nEXPOSE")[0] for path in DOCKERFILES]
    bases = {base for text in built for base in re.findall(r"^(?:FROM )?(python:\S+)", text, re.MULTILINE)}

    assert len(set(built)) == 1
    assert len(bases) == 1
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", base) for base in bases)


def test_prometheus_scrapes_every_process_under_the_name_that_rules_know() -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}
    targets.pop("prometheus")

    assert set(targets) == PROCESSES
    assert all(host.partition(":")[0] == job for job, (host,) in targets.items())


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_finds_its_data_source_and_its_jobs(path: Any) -> None:
    provisioning = ROOT / "deploy" / "grafana" / "provisioning" / "datasources" / "prometheus.yaml"
    (source,) = yaml.safe_load(provisioning.read_text(encoding="utf-8"))["datasources"]
    variables = {variable["name"]: variable for variable in dashboard(path)["templating"]["list"]}

    assert variables["datasource"]["current"]["value"] == source["uid"]
    assert set(variables["job"]["allValue"].split("|")) == PROCESSES
    assert source["jsonData"]["timeInterval"] == "15s"


def test_grafana_is_given_the_folder_that_its_provider_reads() -> None:
    provider = ROOT / "deploy" / "grafana" / "provisioning" / "dashboards" / "waymark.yaml"
    (given,) = yaml.safe_load(provider.read_text(encoding="utf-8"))["providers"]

    assert f"./deploy/grafana/dashboards:{given['options']['path']}:ro" in SERVICES["grafana"]["volumes"]
