"""Rules for analysts: what is in force, what it was before, whether a file can be used, and putting one in force."""

from typing import Annotated

from fastapi import Path, Query

from services.journey.api.identity.desk_opener import Opener
from services.journey.api.messages import ReadRefusal, refuse
from services.journey.api.resources.access import Actor, Api, Language, problems, reader_router
from services.journey.api.rules import rule_reading
from services.journey.api.rules.rule_views import (
    AppliedRulesView,
    RuleChangesView,
    RulesCheckView,
    RulesFileView,
    RulesHistoryView,
    RulesInForceView,
    RulesToApply,
    RulesToCheck,
    WholeRuleView,
    history_of,
)
from services.journey.rulebook import stored_rules
from services.journey.rulebook.rules_file import RulesRefusedError
from services.journey.shadowing import shadow_versions
from services.journey.versions import rule_changes, rule_listing, storing
from services.journey.versions.policy_table import NewPolicy, PolicyKind, PolicyVersion
from services.runtime.http.fields import PlainText
from services.runtime.postgres.pools import acquire, transaction

router = reader_router()

Version = Annotated[int | None, Query(ge=1, le=2_147_483_647, description="An earlier version; else that in force.")]


@router.get("/rules", summary="The rules in force", tags=["rules"], responses=problems(404, 422))
async def list_rules(api: Api, version: Version = None, accept_language: Language = None) -> RulesInForceView:
    """Every rule in short, on or off, with the version since which it says what it says, and its frictions."""
    async with acquire(api.pool) as connection:
        listing = await rule_listing.read(connection, version)
    if listing is None:
        missing = ReadRefusal.NO_RULES_YET if version is None else ReadRefusal.RULES_VERSION_UNKNOWN
        raise refuse(missing, accept_language)
    return RulesInForceView.of(listing)


@router.get("/rules/history", summary="Every version of the rules", tags=["rules"], responses=problems(422))
async def read_history(
    api: Api, limit: Annotated[int, Query(ge=1, le=1_000, description="Most versions.")] = 100
) -> RulesHistoryView:
    """The newest first: from when on, who applied it, why, and what it changed."""
    return history_of(await rule_reading.versions(api), limit)


@router.get("/rules/file", summary="The rules as a file to write on", tags=["rules"], responses=problems(404, 422))
async def read_file(api: Api, version: Version = None, accept_language: Language = None) -> RulesFileView:
    """What somebody wrote, and all rules whole: where a change begins."""
    return RulesFileView.of(await rule_reading.stored(api, version, accept_language))


@router.get("/rules/{rule}", summary="One rule whole", tags=["rules"], responses=problems(404, 422))
async def show_rule(
    api: Api,
    rule: Annotated[PlainText, Path(max_length=100)],
    version: Version = None,
    accept_language: Language = None,
) -> WholeRuleView:
    """Every member of a rule, as it is in force or as it was."""
    stored = await rule_reading.stored(api, version, accept_language)
    found = rule_changes.rules_in(stored.document).get(rule)
    if found is None:
        raise refuse(ReadRefusal.RULE_UNKNOWN, accept_language)
    return WholeRuleView(version=stored.version, rule=found)


@router.post(
    "/rules/check",
    summary="Whether a rules file can be used",
    tags=["rules"],
    response_model_exclude_none=True,
    responses=problems(413, 422),
)
async def check_rules(api: Api, asked: RulesToCheck) -> RulesCheckView:
    """Every mistake in the file with its line, or what the file would change. Nothing is stored."""
    try:
        resolved = await rule_reading.resolve(asked.text)
    except RulesRefusedError as error:
        return RulesCheckView(sound=False, problems=list(error.problems), rules=[])
    versions = await rule_reading.versions(api)
    changes = None
    if versions:
        document = stored_rules.encode(resolved.rules)
        changes = RuleChangesView.of(rule_changes.compare(versions[-1].document, document))
    return RulesCheckView(sound=True, problems=[], rules=[one.id for one in resolved.book.rules], changes=changes)


@router.post("/rules/apply", summary="Put rules in force", tags=["rules"], responses=problems(404, 413, 422))
async def apply_rules(
    api: Api, opener: Opener, actor: Actor, asked: RulesToApply, accept_language: Language = None
) -> AppliedRulesView:
    """They judge every touchpoint that comes from now on, in every worker; what was found before stays.

    Stored with the label of the key and the note. The same rules again change nothing.
    """
    if asked.text is not None:
        resolved = await rule_reading.resolve_sound(asked.text, accept_language)
        new = storing.of_rules(resolved, author=actor, note=asked.note)
    else:
        new = _again(await rule_reading.stored(api, asked.version, accept_language), actor, asked.note)
    desk = await opener.desk()
    async with transaction(desk.pool) as connection:
        applied = await shadow_versions.apply(connection, new)
    return AppliedRulesView.of_applied(applied)


def _again(version: PolicyVersion, actor: str, note: str) -> NewPolicy:
    return NewPolicy(
        kind=PolicyKind.RULES,
        document=version.document,
        written=version.written,
        author=actor,
        note=note,
    )
