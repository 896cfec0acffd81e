"""Forms in parts: their fields are read as they were written, their files never."""

import pytest

from services.ingest.forms.webhooks.delivery import (
    BodyFormat,
    InboundDelivery,
    MalformedDeliveryError,
    fields_of,
    keepable_body,
    parsed_body,
)


def form(*parts: bytes, boundary: str = "b", end: bytes = b"--b--\r\n") -> InboundDelivery:
    body = b"".join(b"--b\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts) + end
    return InboundDelivery(headers={"content-type": f"multipart/form-data; boundary={boundary}"}, body=body)


def test_fields_are_read_and_files_are_neither_read_nor_kept() -> None:
    delivery = form(
        b'name="subject"\r\n\r\n\xed\x99\x98\xeb\xb6\x88',
        b'name="to"\r\n\r\na@example.com',
        b'name="to"\r\n\r\nb@example.com',
        b'name="file"; filename="id.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG secret',
    )

    assert fields_of(delivery) == {"subject": ["환불"], "to": ["a@example.com", "b@example.com"]}
    assert keepable_body(delivery) == b"subject=%ED%99%98%EB%B6%88&to=a%40example.com&to=b%40example.com"


@pytest.mark.parametrize(
    ("content", "read"),
    [
        (b"", ""),
        (b"two\r\n\r\nparagraphs\r\n", "two\r\n\r\nparagraphs\r\n"),
        (b"a line --b and --", "a line --b and --"),
        (b"half \xed\x99 of a letter", "half \ufffd of a letter"),
    ],
)
def test_a_field_is_what_stands_between_its_head_and_the_next_boundary(content: bytes, read: str) -> None:
    assert fields_of(form(b'name="text"\r\n\r\n' + content, b'name="next"\r\n\r\n1')) == {"text": [read], "next": ["1"]}


def test_a_boundary_may_stand_in_quotation_marks_and_the_last_one_may_be_missing() -> None:
    assert fields_of(form(b'name="a"\r\n\r\n1', boundary='"b"')) == {"a": ["1"]}
    assert fields_of(form(b'name="a"\r\n\r\n1', end=b"")) == {"a": ["1\r\n"]}


@pytest.mark.parametrize("boundary", ["", '""', "other"])
def test_a_form_without_its_boundary_is_none(boundary: str) -> None:
    delivery = form(b'name="a"\r\n\r\n1', boundary=boundary)

    with pytest.raises(MalformedDeliveryError):
        parsed_body(delivery, BodyFormat.FORM)
    assert keepable_body(delivery) == b""


def test_a_form_of_too_many_parts_is_none() -> None:
    with pytest.raises(ValueError, match="not a form in parts"):
        fields_of(form(*[b'name="a"\r\n\r\n1'] * 1001))
    assert len(fields_of(form(*[b'name="a"\r\n\r\n1'] * 1000))["a"]) == 1000
