"""Checks an ID token and reads who it is about. It asks nobody and knows no clock.

Signature (asymmetric algorithms alone), issuer, audience, authorised party, times and nonce, as OpenID Connect Core
3.1.3.7 has it; authlib and joserfc do the checking.
"""

from dataclasses import dataclass
from datetime import datetime

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from services.console.roles import PersonRole, RoleMapping, claimed_values
from services.runtime.credentials.persons import shown_name

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""None of them is made with a secret that both sides know, and `none` is no algorithm."""

LEEWAY_S = 60
_MOST_TOKEN_CHARACTERS = 65_536


class IdTokenError(Exception):
    """The ID token is not one that was made for us, now, by the provider; the text names the check."""


class NoRoleError(Exception):
    """Somebody signed in whom the mapping gives no role."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTerms:
    """What an ID token must say."""

    issuer: str
    client_id: str
    nonce: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimReading:
    """Which claims hold name and role, and which of their values make which role."""

    name_claim: str
    role_claim: str
    roles: RoleMapping


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedInPerson:
    """Somebody whom the provider knows: the name that colleagues see, and the role."""

    name: str
    role: PersonRole


def checked_claims(token: str, keys: KeySet, terms: TokenTerms, *, now: datetime) -> dict[str, object]:
    """Return the claims of an ID token that is what `terms` say.

    Raises:
        IdTokenError: it is not.
    """
    if len(token) > _MOST_TOKEN_CHARACTERS:
        raise IdTokenError("size")
    try:
        decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            {
                "iss": {"essential": True, "value": terms.issuer},
                "aud": {"essential": True, "value": terms.client_id},
                "sub": {"essential": True},
            },
            {"nonce": terms.nonce, "client_id": terms.client_id},
        )
        claims.validate(now=int(now.timestamp()), leeway=LEEWAY_S)
    except (JoseError, ValueError, TypeError) as error:  # what is no token at all fails in many ways
        raise IdTokenError(type(error).__name__) from None
    return dict(claims)


def person_of(claims: dict[str, object], reading: ClaimReading) -> SignedInPerson:
    """Return who the claims are about.

    Raises:
        NoRoleError: no entry of the mapping fits, or it goes by an address that the provider did not verify.
    """
    trusted = reading.role_claim != "email" or claims.get("email_verified") is True
    role = reading.roles.role_for(claimed_values(claims, reading.role_claim) if trusted else ())
    if role is None:
        raise NoRoleError
    names = (claimed_values(claims, claim) for claim in (reading.name_claim, "preferred_username", "email", "sub"))
    name = next((shown for found in names if found and (shown := shown_name(found[0]))), "")
    return SignedInPerson(name=name, role=role)
