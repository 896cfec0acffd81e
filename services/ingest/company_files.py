"""A company's own files, its privacy policy, channel systems and words, read and checked before anything starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from services.ingest.forms.webhooks.mapping import system_files
from services.ingest.forms.webhooks.mapping.delivery_mapper import DeliveryMapper
from services.ingest.privacy.policy import PrivacyPolicy, PrivacyPolicyError
from services.ingest.sentiment import lexicon_file
from services.ingest.sentiment.lexicon import Lexicon
from services.ingest.sentiment.lexicon_file import LexiconFileError
from services.ingest.sentiment.model import model_function
from services.ingest.sentiment.model.model_function import ModelMissingError
from services.ingest.settings import IngestSettings
from services.runtime.settings import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyFiles:
    """The parsed files: `systems` are the shipped ones, with the company's own in place of those of the same name.

    `lexicon` is the shipped one with the company's own over it, None if no sentiment is computed.
    """

    policy: PrivacyPolicy
    systems: Mapping[str, DeliveryMapper]
    lexicon: Lexicon | None

    @classmethod
    def read(cls, settings: IngestSettings) -> Self:
        """Read what the settings name; raises `SettingsError` with the problems of all of them."""
        policy, problems = read_policy(settings)
        systems: Mapping[str, DeliveryMapper] = {}
        try:
            systems = system_files.load(Path(settings.systems) if settings.systems else None)
        except system_files.SystemFilesError as error:
            variable = IngestSettings.variable_of("systems")
            problems += [f"{variable}: {problem}" for problem in error.problems]
        lexicon = None
        try:
            lexicon = lexicon_file.load(settings.sentiment) if settings.sentiment_from_text else None
        except LexiconFileError as error:
            problems += [f"{IngestSettings.variable_of('sentiment')}: {problem}" for problem in error.problems]
        if settings.sentiment_model and not settings.names_endpoint:
            try:
                model_function.find(settings.sentiment_model)
            except ModelMissingError as error:
                problems.append(f"{IngestSettings.variable_of('sentiment_model')}: {error}")
        if problems:
            raise SettingsError(problems)
        return cls(policy=policy, systems=systems, lexicon=lexicon)


def read_policy(settings: IngestSettings) -> tuple[PrivacyPolicy, list[str]]:
    """Return the privacy policy that the settings name, with its problems and the settings that it lacks."""
    secret, keys = settings.privacy_secret.get_secret_value(), settings.sealing_keys
    variable = IngestSettings.variable_of("privacy")
    try:
        policy = PrivacyPolicy.read(settings.privacy)
    except PrivacyPolicyError as error:
        return PrivacyPolicy(), [f"{variable}: {problem}" for problem in error.problems]
    return policy, [f"{variable}: {problem}" for problem in policy.lacks(secret=bool(secret), keys=bool(keys))]
