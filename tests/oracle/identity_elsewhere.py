"""What others who resolve identities give as examples, or report as wrong: their stories in our words and values.

`defined` says whose each touchpoint is by our definition, `theirs` what the authors of the story call right, both by
the value of an identifier that the owner has. Where the two differ, `remark` says which is better, and why.

Part of the oracle: it imports nothing of Waymark, on purpose.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

EMAIL_IS_WHO: Final = {"email": {"unique": True}}
"""For those to whom an e-mail address is what tells people apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaleOfOthers:
    """One story: who tells it, what was seen, what comes of it."""

    name: str
    told_by: str
    seen: tuple[str, ...]
    defined: str
    theirs: str
    policy: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    remark: str = ""

    @property
    def differs(self) -> bool:
        """Whether the two do not say the same."""
        return self.defined != self.theirs


TALES: Final = (
    TaleOfOthers(
        name="a purchase each on one tablet, each one's browsing before and after it",
        told_by="Adobe Customer Journey Analytics, shared devices, device split",
        seen=(
            "1m device_id:pad",
            "2m device_id:pad",
            "3m device_id:pad customer_id:Nam!",
            "7m device_id:pad",
            "8m device_id:pad customer_id:Oh!",
            "23h device_id:pad",
        ),
        defined="Nam Nam Nam Nam Oh Oh",
        theirs="Nam Nam Nam Nam Oh Oh",
    ),
    TaleOfOthers(
        name="the same tablet, where people are known by e-mail addresses alone, and those are unique",
        told_by="Adobe Customer Journey Analytics, shared devices, device split",
        seen=(
            "1m cookie:pad",
            "3m cookie:pad email:Nam!",
            "7m cookie:pad",
            "8m cookie:pad email:Oh!",
            "23h cookie:pad",
        ),
        policy=EMAIL_IS_WHO,
        defined="Nam Nam Nam Oh Oh",
        theirs="Nam Nam Nam Oh Oh",
    ),
    TaleOfOthers(
        name="the same tablet under the policy as shipped",
        told_by="Adobe Customer Journey Analytics, shared devices, device split",
        seen=(
            "1m cookie:pad",
            "3m cookie:pad email:Nam!",
            "7m cookie:pad",
            "8m cookie:pad email:Oh!",
            "23h cookie:pad",
        ),
        defined="Nam Nam Nam Oh Oh",
        theirs="Nam Nam Nam Oh Oh",
    ),
    TaleOfOthers(
        name="all that was browsed goes to whoever logged in last",
        told_by="Adobe Customer Journey Analytics, last authenticated; dbt projects that stitch by the latest login",
        seen=("1m cookie:pad", "3m cookie:pad customer_id:Nam!", "7m cookie:pad", "8m cookie:pad customer_id:Oh!"),
        defined="Nam Nam Nam Oh",
        theirs="Oh Nam Oh Oh",
        remark="Ours is better: what came before a login by somebody else is not theirs.",
    ),
    TaleOfOthers(
        name="a new device id at each logout",
        told_by="Adobe Customer Journey Analytics, reset; Mixpanel, several users of one device",
        seen=(
            "1m device_id:first",
            "3m device_id:first customer_id:Nam!",
            "7m device_id:second",
            "8m device_id:second customer_id:Oh!",
            "1d device_id:second",
        ),
        defined="Nam Nam Oh Oh Oh",
        theirs="Nam Nam Oh Oh Oh",
    ),
    TaleOfOthers(
        name="one of two looks around while the other one logged in last, and logs in later",
        told_by="Adobe Identity Service, anonymous events",
        seen=(
            "1h cookie:c customer_id:Ko!",
            "2h cookie:c customer_id:No!",
            "3h cookie:c",
            "4h cookie:c customer_id:Ko!",
            "5h cookie:c",
        ),
        defined="Ko No No Ko Ko",
        theirs="Ko No Ko Ko Ko",
        remark="Ours is better: a login later does not say who looked around before, while another was logged in.",
    ),
    TaleOfOthers(
        name="two members log in with account names on one browser",
        told_by="Adobe Identity Service, one person with several logins, shared device",
        seen=(
            "1h customer_id:Tak account_id:a1",
            "2h customer_id:Tak account_id:a2",
            "3h account_id:a1 cookie:c1",
            "4h customer_id:Sun account_id:a3",
            "5h account_id:a3 cookie:c2",
            "6h account_id:a3 cookie:c1",
            "7h cookie:c1",
        ),
        defined="Tak Tak Tak Sun Sun Sun Sun",
        theirs="Tak Tak Tak Sun Sun Sun Sun",
    ),
    TaleOfOthers(
        name="and the first one comes back to it",
        told_by="Adobe Identity Service, one person with several logins, second shared device",
        seen=(
            "1h customer_id:Tak account_id:a1",
            "3h account_id:a1 cookie:c1",
            "4h customer_id:Sun account_id:a3",
            "6h customer_id:Sun account_id:a3 cookie:c1",
            "7h account_id:a1 cookie:c1",
            "8h cookie:c1",
        ),
        defined="Tak Tak Sun Sun Tak Tak",
        theirs="Tak Tak Sun Sun Tak Tak",
    ),
    TaleOfOthers(
        name="an account name that was given to two members by mistake, and is used days later",
        told_by="Adobe Identity Service, one person with several logins, bad data",
        seen=(
            "1h customer_id:Sun account_id:a4",
            "2h customer_id:Tak account_id:a4",
            "3h account_id:a4",
            "5d account_id:a4",
        ),
        defined="Sun Tak Tak Tak",
        theirs="Sun Tak Tak Tak",
    ),
    TaleOfOthers(
        name="an address that two customers gave, and a letter from it days later",
        told_by="Adobe Identity Service, an e-mail address that is not unique",
        seen=(
            "1h customer_id:Tak email:both@",
            "2h customer_id:Sun email:both@",
            "3h email:both@",
            "5d email:both@",
        ),
        defined="Tak Sun Sun Sun",
        theirs="Tak Sun Sun Sun",
    ),
    TaleOfOthers(
        name="a customer with a telephone gives another one's",
        told_by="Adobe Identity Service, a telephone that is unique",
        seen=(
            "1h customer_id:Tak phone:123",
            "2h customer_id:Sun phone:765",
            "3h customer_id:Sun phone:123",
            "4h phone:123",
            "5h phone:765",
        ),
        policy={"phone": {"unique": True}},
        defined="Tak Sun Sun Sun Sun",
        theirs="Tak Sun Sun Sun 765",
        remark="Ours is better: the own telephone is not lost by a mistake with another.",
    ),
    TaleOfOthers(
        name="two guests pay on one browser, each with an address",
        told_by="Adobe Identity Service, commerce",
        seen=("1h email:tak@ cookie:c", "2h email:sun@ cookie:c", "3h cookie:c"),
        policy=EMAIL_IS_WHO,
        defined="tak@ sun@ sun@",
        theirs="tak@ sun@ sun@",
    ),
    TaleOfOthers(
        name="two guests under the policy as shipped",
        told_by="Adobe Identity Service, commerce",
        seen=("1h email:tak@ cookie:c", "2h email:sun@ cookie:c", "3h cookie:c"),
        defined="tak@ tak@ tak@",
        theirs="tak@ sun@ sun@",
        remark="One person may write two addresses; who does not want this declares them unique. For the docs.",
    ),
    TaleOfOthers(
        name="a guest on the browser of a member whose address is not known",
        told_by="Adobe Identity Service, commerce, an error that cannot be seen",
        seen=("1h customer_id:Tak cookie:c", "2h email:sun@ cookie:c"),
        policy=EMAIL_IS_WHO,
        defined="Tak Tak",
        theirs="Tak Tak",
    ),
    TaleOfOthers(
        name="a guest pays and registers then",
        told_by="Adobe Identity Service, commerce",
        seen=("1h email:tak@ cookie:c", "2h email:tak@ customer_id:Tak", "3h customer_id:Tak cookie:c"),
        policy=EMAIL_IS_WHO,
        defined="Tak Tak Tak",
        theirs="Tak Tak Tak",
    ),
    TaleOfOthers(
        name="a colleague logs in on a borrowed telephone, a third one picks it up",
        told_by="Snowplow Identities, merge conflicts",
        seen=(
            "1d cookie:web customer_id:Al!",
            "2d device_id:app",
            "3d device_id:app customer_id:Al!",
            "4d device_id:app customer_id:Bo!",
            "4d1h device_id:app",
        ),
        defined="Al Al Al Bo Bo",
        theirs="Al Al Al Bo app",
        remark="Ours is a better guess for a family; `hold: 0` gives theirs, and the docs should say so.",
    ),
    TaleOfOthers(
        name="the same without a hold: nobody's, but the first visit is not Al's any more either",
        told_by="Snowplow Identities, merge conflicts",
        seen=(
            "1d cookie:web customer_id:Al!",
            "2d device_id:app",
            "3d device_id:app customer_id:Al!",
            "4d device_id:app customer_id:Bo!",
            "4d1h device_id:app",
        ),
        policy={"device_id": {"hold": 0}},
        defined="Al app Al Bo app",
        theirs="Al Al Al Bo app",
        remark="They do not take back what was merged before the conflict; a pure function of the set has to.",
    ),
    TaleOfOthers(
        name="the app is used before the first login on it",
        told_by="Snowplow Identities, merges; Mixpanel, a returning user; Amplitude, a user id after anonymous events",
        seen=(
            "1d cookie:web",
            "1d1h cookie:web customer_id:Al!",
            "2d device_id:app",
            "90d device_id:app customer_id:Al!",
        ),
        defined="Al Al Al Al",
        theirs="Al Al Al Al",
    ),
)
