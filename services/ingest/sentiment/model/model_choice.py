"""Chooses the model of the house that the settings name: an endpoint, a function, or none."""

from services.ingest.metrics import IngestMetrics
from services.ingest.sentiment.model import model_function
from services.ingest.sentiment.model.house_model import HouseModel
from services.ingest.sentiment.model.model_asking import AT_ONCE, ModelAsking
from services.ingest.sentiment.model.model_endpoint import ModelEndpoint
from services.ingest.sentiment.model.model_function import ModelMissingError
from services.ingest.settings import IngestSettings
from services.runtime.clock import Clock
from services.runtime.settings import SettingsError


def chosen(settings: IngestSettings, metrics: IngestMetrics, clock: Clock) -> ModelAsking | None:
    """Return who asks the model, None without one; raises `SettingsError` if it cannot be loaded."""
    if not settings.sentiment_model or not settings.sentiment_from_text:
        return None
    try:
        model = _model(settings)
    except ModelMissingError as error:
        raise SettingsError([f"{IngestSettings.variable_of('sentiment_model')}: {error}"]) from error
    return ModelAsking(model, metrics, clock, within_s=settings.sentiment_model_timeout_s)


def _model(settings: IngestSettings) -> HouseModel:
    within_s = settings.sentiment_model_timeout_s
    if settings.names_endpoint:
        key = settings.sentiment_model_key.get_secret_value()
        return ModelEndpoint(settings.sentiment_model, key, connections=AT_ONCE, timeout_s=within_s)
    return model_function.load(settings.sentiment_model)
