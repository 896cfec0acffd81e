"""The policy in force: puts a file in force, reads it back, and explains the notifications of one issue."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from waymark.alerts.policy_reading import WrongPolicyError, read_policy
from waymark.alerts.route_trial import PeopleNames
from waymark.console import CommandError, say
from waymark.database import run_in_transaction
from waymark.user_name import user_name

if TYPE_CHECKING:
    from services.alerts.inbox.explanation import IssueExplanation
    from services.alerts.policy.alert_policy import AlertPolicy
    from services.runtime.postgres.pools import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInForce:
    """The policy, and the names of the people that it notifies."""

    policy: "AlertPolicy"
    names: PeopleNames
    version: int | None


def apply_file(url: str, file: Path, *, note: str, now: datetime) -> int:
    """Put the policy of a file in force and return its version; raises `WrongPolicyError`, `CommandError`."""
    from services.alerts.admin.policy_administration import apply_policy
    from services.alerts.notify.directory_store import load_directory
    from services.alerts.policy.file.policy_compiler import KnownPeople, compile_policy

    read = read_policy(file)

    async def work(connection: "Connection") -> int:
        directory = await load_directory(connection)
        known = KnownPeople(
            endpoints={endpoint.name: endpoint.id for endpoint in directory.endpoints.values()},
            teams={name: team for team, name in directory.teams.items()},
        )
        policy, unknown = compile_policy(read.body, known)
        if unknown:
            raise WrongPolicyError(str(file), tuple(read.problem(place, message) for place, message in unknown))
        return await apply_policy(
            connection, policy, actor=f"command:{user_name()}", change="policy applied", now=now, note=note
        )

    return run_in_transaction(url, work)


def read_in_force(url: str) -> PolicyInForce:
    """Return the policy in force; raises `CommandError`."""
    from services.alerts.notify.directory_store import load_directory

    async def work(connection: "Connection") -> PolicyInForce:
        directory = await load_directory(connection)
        names = {str(one.id): one.name for one in directory.endpoints.values()}
        names |= {str(team): name for team, name in directory.teams.items()}
        return PolicyInForce(policy=directory.policy, names=PeopleNames(by_id=names), version=directory.version)

    return run_in_transaction(url, work)


def explain(url: str, issue: str, now: datetime, show: "Callable[[IssueExplanation], Any]") -> Any:
    """Return what `show` makes of the explanation of an issue; raises `CommandError` if there is none."""
    from services.alerts.inbox.explanation import explain_issue

    try:
        issue_id = UUID(issue)
    except ValueError:
        wrong = say(f"{issue!r} is no id of an issue", f"{issue!r}: 이슈 id가 아닙니다")
        raise CommandError(wrong, exit_code=2) from None

    async def work(connection: "Connection") -> Any:
        found = await explain_issue(connection, issue_id, now)
        if found is None:
            raise CommandError(say(f"there is no issue {issue}", f"이슈 {issue} 없음"))
        return show(found)

    return run_in_transaction(url, work)
