"""The AsyncAPI 3.0 document of the topics, made from the topic files and schemas by `python -m schemas.asyncapi`.

It refers to the schema files beside it instead of copying them. A test keeps it current.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from schemas import cloudevents, data_files, topics, validation

PATH = data_files.FOLDER / "asyncapi.yaml"

_HEAD = "# Generated from topics/ and the schemas by `python -m schemas.asyncapi`; do not edit.\n"

_SCHEMA_FORMAT = "application/schema+json;version=draft-2020-12"

_PUBLISHED = {"touchpoint.v1": "touchpoint.v1.schema.json#/$defs/published"}
"""Where what stands on the topic is stricter than the root of the schema."""

_HEADERS: dict[str, dict[str, Any]] = {
    "ce_specversion": {"type": "string", "const": "1.0"},
    "ce_id": {"type": "string", "description": "With ce_source the identity of the record."},
    "ce_source": {"type": "string", "description": "/waymark/<service>, and the producer behind it if there is one."},
    "ce_type": {"type": "string", "enum": [kind.value for kind in cloudevents.CloudEventType]},
    "ce_time": {"type": "string", "format": "date-time", "description": "When it happened."},
    "content-type": {"type": "string", "const": cloudevents.CONTENT_TYPE},
    "traceparent": {"type": "string", "description": "W3C trace context, where there is one."},
}


def document() -> dict[str, Any]:
    """Return the whole AsyncAPI document as a mapping."""
    every = topics.load().values()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Waymark topics",
            "version": "1.0.0",
            "description": "What Waymark's services tell one another, and anyone else who may listen.",
        },
        "defaultContentType": cloudevents.CONTENT_TYPE,
        "servers": {
            "local": {"host": "127.0.0.1:9092", "protocol": "kafka", "description": "Where `waymark up` listens."}
        },
        "channels": {topic.name: _channel(topic) for topic in every},
        "operations": {name: operation for topic in every for name, operation in _operations(topic)},
        "components": {
            "messages": {_message_name(topic): _message(topic) for topic in every},
            "schemas": {
                "headers": {
                    "type": "object",
                    "required": [name for name in _HEADERS if name != "traceparent"],
                    "properties": _HEADERS,
                }
            },
        },
    }


def text() -> str:
    """Return the document as YAML."""
    return _HEAD + yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=110)


def write(path: Path = PATH) -> None:
    """Write the document to `path`."""
    path.write_text(text(), encoding="utf-8")


def _message_name(topic: topics.Topic) -> str:
    return topic.schema.partition(".")[0]


def _channel(topic: topics.Topic) -> dict[str, Any]:
    name = _message_name(topic)
    return {
        "address": topic.name,
        "description": topic.description,
        "servers": [{"$ref": "#/servers/local"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "replicas": topic.replication,
                "topicConfiguration": _configuration(topic),
                "bindingVersion": "0.5.0",
            }
        },
        "x-owner": topic.owner,
        "x-personal-data": topic.personal_data,
        "x-personal-data-why": topic.personal_data_why,
    }


def _configuration(topic: topics.Topic) -> dict[str, Any]:
    return {
        "cleanup.policy": [topic.cleanup.value],
        "retention.ms": -1 if topic.retention_ms is None else topic.retention_ms,
        "max.message.bytes": topic.max_message_bytes,
        "message.timestamp.type": topic.timestamp_type.value,
    }


def _operations(topic: topics.Topic) -> list[tuple[str, dict[str, Any]]]:
    sends = [(f"{service}_sends_{topic.name}", "send", service) for service in topic.producers]
    receives = [(f"{service}_receives_{topic.name}", "receive", service) for service in topic.consumers]
    return [
        (
            name,
            {
                "action": action,
                "channel": {"$ref": f"#/channels/{topic.name}"},
                "messages": [{"$ref": f"#/channels/{topic.name}/messages/{_message_name(topic)}"}],
                "x-service": service,
            },
        )
        for name, action, service in sends + receives
    ]


def _message(topic: topics.Topic) -> dict[str, Any]:
    schema = validation.schema(topic.schema)
    return {
        "name": topic.schema,
        "title": schema["title"],
        "summary": schema["description"],
        "contentType": cloudevents.CONTENT_TYPE,
        "headers": {"$ref": "#/components/schemas/headers"},
        "payload": {
            "schemaFormat": _SCHEMA_FORMAT,
            "schema": {"$ref": f"./{_PUBLISHED.get(topic.schema, topic.schema + '.schema.json')}"},
        },
        "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": "0.5.0"}},
    }


if __name__ == "__main__":
    write()
