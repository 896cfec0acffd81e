"""The state of the pipeline, for operators."""

from services.journey.api.resources.access import Api, reader_router
from services.journey.read.aggregates.pipeline_reading import PipelineView

router = reader_router()


@router.get("/pipeline", summary="How far the worker has come", tags=["paths"], response_model_exclude_none=True)
async def read_pipeline(api: Api) -> PipelineView:
    """Until when everything that was accepted is applied, and what waits to be published.

    It is read from what the worker keeps with each batch; a worker that has died shows by `complete_until` standing
    still.
    """
    return await api.pipeline.pipeline()
