"""Builds what projects customers, from the settings of a worker and what is in force in its database."""

from services.journey import policies
from services.journey.costs.rule_sample import RuleSample
from services.journey.domain.projection import ProjectionPolicy
from services.journey.renew.kept_customers import KeptCustomers
from services.journey.renew.renewal import CustomerRenewer
from services.journey.renew.writer import CustomerWriter
from services.journey.settings import WorkerSettings
from services.journey.store import moments
from services.journey.versions.in_force import PolicySource
from services.runtime.clock import SystemClock, new_id
from services.runtime.postgres.pools import Pool, acquire


async def read_policy(pool: Pool) -> ProjectionPolicy:
    """Return the policy of projections as it is in force in this database."""
    async with acquire(pool) as connection:
        return policies.projection(conversations_since=await moments.conversations(connection))


def build_renewer(own: WorkerSettings, policy: ProjectionPolicy, in_force: PolicySource) -> CustomerRenewer:
    """Return what projects customers by `policy` and writes the difference, as the settings and the rules ask."""
    return CustomerRenewer(
        policies=in_force,
        policy=policy,
        new_id=new_id,
        stale_after_s=own.stale_after_s,
        history=own.history_touchpoints,
        writer=CustomerWriter(publish_journeys=own.publish_journeys),
        kept=KeptCustomers(own.kept_bytes),
        sample=RuleSample(timer=SystemClock().monotonic),
    )
