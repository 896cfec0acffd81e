"""Checks of how sessions with PostgreSQL are kept: opened once as the services open them, through and past a pooler."""

from collections.abc import Iterable, Mapping

from services.runtime.postgres.pools import DatabasePlace, close_pool, create_pool, direct_place_of, place_of
from services.runtime.process.startup import DependencyUnavailableError, open_postgres
from services.runtime.settings import CommonSettings, SettingsError
from waymark.console import say
from waymark.doctor.finding import DoctorFinding, broken, fine

VARIABLES = ("WAYMARK_POSTGRES", "WAYMARK_POSTGRES_POOLER", "WAYMARK_POSTGRES_DIRECT")


async def examine_sessions(environ: Mapping[str, str]) -> Iterable[DoctorFinding]:
    """Return whether sessions are kept as the settings say; nothing where no setting names PostgreSQL.

    A server that is away, and settings that cannot be read, are told by other findings.
    """
    if not any(environ.get(name) for name in VARIABLES):
        return []
    try:
        common = CommonSettings.load(environ)
    except SettingsError:
        return []
    try:
        for place in {place_of(common): None, direct_place_of(common): None}:
            await _open(place)
    except DependencyUnavailableError:
        return []
    except SettingsError as error:
        return [broken("sessions", "; ".join(error.problems), say("correct this variable", "이 변수를 바로잡으세요"))]
    mode = common.postgres_pooler
    return [fine("sessions", say(f"kept as services need them (pooler: {mode})", f"정상적으로 유지됨 (풀러: {mode})"))]


async def _open(place: DatabasePlace) -> None:
    pool = await open_postgres(
        lambda: create_pool(place, application_name="waymark-doctor", size=2), variable=place.variable, within_s=0.0
    )
    await close_pool(pool)
