"""Routes, groups, inhibition and silences decide as Debian's Alertmanager does, on configurations by chance."""

from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.alertmanager import ours
from tests.alertmanager.making import Scene, a_scene
from tests.alertmanager.other import Alertmanager, running
from tests.waiting import until

pytestmark = [pytest.mark.alertmanager, pytest.mark.timeout(280)]

SCENES = 400
Verdicts = dict[str, Any]


def our_verdicts(scene: Scene, now: datetime) -> Verdicts:
    """Return what we say of every alert of a scene."""
    policy = ours.policy_of(scene.config)
    silences = [ours.a_silence(matchers, now) for matchers in scene.silences]
    return {
        "receivers": [ours.receivers_of(policy, alert) for alert in scene.alerts],
        "inhibited": ours.inhibited(policy, scene.alerts),
        "silenced": ours.silenced(silences, scene.alerts, now),
        "groups": ours.groups_of(policy, scene.alerts),
    }


async def their_verdicts(other: Alertmanager, scene: Scene, run: str) -> Verdicts:
    """Return what Alertmanager says of every alert of a scene; what it does not know yet is missing."""
    found = {tuple(sorted(alert["labels"].items())): alert for alert in await other.alerts(run)}
    alerts = [found.get(tuple(sorted(labels.items()))) for labels in scene.alerts]
    groups = [
        (group["receiver"]["name"], tuple(sorted(group["labels"].items())), len(group["alerts"]))
        for group in await other.groups(run)
    ]
    return {
        "receivers": [[one["name"] for one in alert["receivers"]] if alert else None for alert in alerts],
        "inhibited": [bool(alert["status"]["inhibitedBy"]) if alert else None for alert in alerts],
        "silenced": [bool(alert["status"]["silencedBy"]) if alert else None for alert in alerts],
        "groups": sorted(groups),
    }


async def agrees(other: Alertmanager, scene: Scene, run: str) -> Verdicts | None:
    """Play a scene and return what differs at the end; it takes in alerts behind its answers, so we ask for a while."""
    now = datetime.now(UTC)
    expected = our_verdicts(scene, now)
    await other.load(scene.config)
    silences = [await other.silence(matchers, now) for matchers in scene.silences]
    await other.fire(scene.alerts, now)
    said: Verdicts = {}

    async def same() -> bool:
        said.update(await their_verdicts(other, scene, run))
        return said == expected

    try:
        await until(same, within=3)
    except AssertionError:
        return {key: (expected[key], said[key]) for key in expected if expected[key] != said[key]}
    finally:
        await other.fire(scene.alerts, now, datetime.now(UTC))
        for silence in silences:
            await other.expire(silence)
    return None


async def test_no_scene_is_judged_differently(tmp_path: Path) -> None:
    random = Random(20_261_122)
    differing = []
    async with running(tmp_path) as other:
        for number in range(SCENES):
            scene = a_scene(random, str(number))
            if (difference := await agrees(other, scene, str(number))) is not None:
                differing.append((number, difference, scene))

    assert not differing, f"{len(differing)} of {SCENES} differ, among them {differing[0]}"


async def test_the_comparison_sees_a_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: with `continue` ignored, some scenes must differ."""
    random = Random(7)
    scenes = [a_scene(random, f"c{number}") for number in range(12)]

    def without_continue(part: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in part.items() if name != "continue"}
        return kept | {"routes": [without_continue(child) for child in part.get("routes", ())]}

    genuine = ours.policy_of
    monkeypatch.setattr(
        ours, "policy_of", lambda config: genuine({**config, "route": without_continue(config["route"])})
    )
    async with running(tmp_path) as other:
        differences = [await agrees(other, scene, f"c{number}") for number, scene in enumerate(scenes)]

    assert any(difference and "receivers" in difference for difference in differences)
