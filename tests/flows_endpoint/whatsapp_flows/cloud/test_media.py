"""Attached files: found, fetched over TLS, checked, decrypted, and given to the service only."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client as HttpClient
from django.utils import timezone

from callbacks import transport
from callbacks.transport import Transport
from crypto_schemes.whatsapp_flows.media import read_attachments
from flows_endpoint import tasks
from flows_endpoint.whatsapp_flows import media
from flows_endpoint.whatsapp_flows.models import MediaFile
from tenants import lifecycle
from tenants.actors import Actor
from tests.flows_endpoint.whatsapp_flows import backends
from tests.flows_endpoint.whatsapp_flows.cloud.conftest import PICTURE, entry
from tests.flows_endpoint.whatsapp_flows.conftest import MakePhone
from tests.flows_endpoint.whatsapp_flows.platform import Phone
from tests.support.receiver import Receiver, Reply

pytestmark = pytest.mark.django_db

# --- for backends in Python


def test_a_file_is_found_fetched_and_opened(cdn: Receiver) -> None:
    payload = {"data": {"name": "Zoë", "photos": [entry(cdn)], "form": {"documents": [1, "x"]}}}
    (found,) = media.files(payload)
    assert found.at == "photos[0]"
    assert media.download(found.attachment) == PICTURE
    (asked,) = cdn.requests
    assert (asked.method, asked.target) == ("GET", "/v/t62.7119-24/file?ccb=11-4&oh=01_Q5")


def test_files_are_found_wherever_they_stand_and_thirty_at_most(cdn: Receiver) -> None:
    one = entry(cdn)
    payload = {"data": {"a": [one] * 2, "b": {"c": [{"d": [one]}]}, "e": [one] * 29}}
    places = [found.at for found in media.files(payload)]
    assert places[:3] == ["a[0]", "a[1]", "b.c[0].d[0]"]
    assert len(places) == 30


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        {"data": None},
        {"data": {"photos": []}},
        {"data": {"photos": [{"cdn_url": "https://cdn.example/a"}]}},
        {"data": {"photos": [{"cdn_url": "http://cdn.example/a", "encryption_metadata": {}}]}},
    ],
)
def test_what_is_no_file_is_none(payload: Any) -> None:
    assert media.files(payload) == ()


def damaged(one: Any, **members: str) -> Any:
    return one | {"encryption_metadata": one["encryption_metadata"] | members}


def test_a_file_that_does_not_fit_is_refused(cdn: Receiver) -> None:
    other = base64.b64encode(bytes(32)).decode()
    for name, code in (
        ("encrypted_hash", "media_hash"),
        ("hmac_key", "media_mac"),
        ("plaintext_hash", "media_plaintext_hash"),
    ):
        attachment = read_attachments([damaged(entry(cdn), **{name: other})])[0]
        with pytest.raises(media.MediaError) as refused:
            media.download(attachment)
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(status=404), "http_404"),
        (Reply(status=302, headers={"Location": "https://127.0.0.1/"}), "http_302"),
        (Reply(hang_up=True), "protocol"),
        (Reply(body=b"x"), "media_size"),
        (Reply(body=b"\0" * (media.MAX_DOWNLOAD + 1)), "too_large"),
    ],
)
def test_a_cdn_that_does_not_give_it(cdn: Receiver, reply: Reply, code: str) -> None:
    attachment = read_attachments([entry(cdn)])[0]
    cdn._next.clear()
    cdn.next(reply)
    with pytest.raises(media.MediaError) as refused:
        media.download(attachment)
    assert refused.value.code == code
    assert "cdn" not in str(refused.value)


def test_the_largest_file_is_taken(cdn: Receiver) -> None:
    largest = bytes(25 * 1024 * 1024)
    assert media.download(read_attachments([entry(cdn, largest)])[0]) == largest


def test_only_public_machines_are_asked(cdn: Receiver, settings: Any) -> None:
    settings.OUTBOUND_ALLOW = []
    with pytest.raises(media.MediaError, match="refused_address"):
        media.download(read_attachments([entry(cdn)])[0])
    assert cdn.requests == []


def test_the_cdn_must_be_who_it_says(cdn: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "shared", Transport())
    with pytest.raises(media.MediaError, match="tls"):
        media.download(read_attachments([entry(cdn)])[0])


# --- for an upstream service


@pytest.fixture(params=["upstream", "python"])
def serve(request: pytest.FixtureRequest, make_phone: MakePhone) -> Iterator[Any]:
    """Return a phone whose service attends, and what the service was told beside the body."""
    with Receiver() as service:
        service.default = Reply(body=b'{"screen":"NEXT","data":{}}')
        upstream = {"backend": "upstream", "upstream_url": service.url}
        python = {"backend": "python", "backend_class": backends.ATOMIC}
        backends.AtomicBackend.calls.clear()
        backends.AtomicBackend.script = staticmethod(lambda _: {"screen": "NEXT", "data": {}})

        def details() -> Any:
            if request.param == "python":
                return backends.AtomicBackend.calls[-1].details
            text = service.requests[-1].headers["sealgate-details"]
            return json.loads(base64.b64decode(text))

        def make(**options: Any) -> Phone:
            return make_phone(
                options=options, **(upstream if request.param == "upstream" else python)
            )

        yield make, details


def get(client: HttpClient, url: str, ticket: str, **more: Any) -> Any:
    return client.get(url, headers={"Authorization": f"Bearer {ticket}"}, **more)


def test_the_service_gets_an_address_and_a_ticket(
    serve: Any, cdn: Receiver, client: HttpClient
) -> None:
    make, details = serve
    phone = make(fetch_media=True)
    text = b"%PDF-1.7"
    data = {"photos": [entry(cdn)], "documents": [entry(cdn, text, "a.pdf")]}
    assert phone.step("FORM", data).status == 200
    assert cdn.requests == []  # fetched only when somebody wants it
    told = details()["media"]
    assert [one["at"] for one in told["files"]] == ["photos[0]", "documents[0]"]
    first, second = (one["url"] for one in told["files"])
    assert told["ticket"] not in first + second
    answer = get(client, first, told["ticket"])
    assert (answer.status_code, answer.content) == (200, PICTURE)
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in answer["Cache-Control"]
    assert answer["Content-Disposition"] == (
        "attachment; filename*=utf-8''pass%20port%20%C3%A9.png"
    )
    assert get(client, second, told["ticket"]).content == text
    assert MediaFile.objects.filter(fetched_at=None).count() == 0


def test_nothing_of_a_file_is_kept_or_stands_in_clear(
    serve: Any, cdn: Receiver, client: HttpClient
) -> None:
    make, details = serve
    phone = make(fetch_media=True)
    one = entry(cdn)
    phone.step("FORM", {"photos": [one]})
    told = details()["media"]
    get(client, told["files"][0]["url"], told["ticket"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM whatsapp_flows_mediafile")
        row = cursor.fetchone()
    text = " ".join(
        bytes(v).decode("latin-1") if isinstance(v, bytes | memoryview) else str(v) for v in row
    )
    assert len(text) < 3000
    for secret in (told["ticket"], one["cdn_url"], one["file_name"], "encryption_key"):
        assert secret not in text


def test_without_the_option_or_a_file_nothing_is_told(serve: Any, cdn: Receiver) -> None:
    make, details = serve
    for options, data in (({}, {"photos": [entry(cdn)]}), ({"fetch_media": True}, {"a": 1})):
        assert make(**options).step("FORM", data).status == 200
        assert "media" not in details()
    assert not MediaFile.objects.exists()


def test_without_the_ticket_there_is_no_such_file(
    serve: Any, cdn: Receiver, client: HttpClient
) -> None:
    make, details = serve
    phone = make(fetch_media=True)
    phone.step("FORM", {"photos": [entry(cdn)]})
    first = details()["media"]
    phone.step("FORM", {"photos": [entry(cdn)], "other": 1})
    second = details()["media"]
    url = first["files"][0]["url"]
    for ticket in ("", "x", second["ticket"], first["ticket"][:-1], first["ticket"] + "é"):
        assert get(client, url, ticket).status_code == 404
    assert client.get(url).status_code == 404
    basic = client.get(url, headers={"Authorization": f"Basic {first['ticket']}"})
    assert basic.status_code == 404
    other = url[:-4] + "0000"
    assert get(client, other, first["ticket"]).status_code == 404
    assert client.post(url).status_code == 405
    assert cdn.requests == []


def test_a_file_is_offered_for_an_hour_while_its_flow_is_in_service(
    serve: Any, cdn: Receiver, client: HttpClient, actor: Actor
) -> None:
    make, details = serve
    phone = make(fetch_media=True)
    phone.step("FORM", {"photos": [entry(cdn)]})
    told = details()["media"]
    url, ticket = told["files"][0]["url"], told["ticket"]
    lifecycle.update_flow(actor, phone.flow, {"is_enabled": False})
    assert get(client, url, ticket).status_code == 404
    lifecycle.update_flow(actor, phone.flow, {"is_enabled": True})
    MediaFile.objects.update(expires_at=timezone.now())
    assert get(client, url, ticket).status_code == 404
    tasks.forget_the_past()
    assert not MediaFile.objects.exists()


def test_a_file_that_cannot_be_had_is_502_and_says_why(
    serve: Any, cdn: Receiver, client: HttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    make, details = serve
    phone = make(fetch_media=True)
    one = entry(cdn)
    cdn._next.clear()
    cdn.next(Reply(status=403), Reply(body=b"x" * 100))
    phone.step("FORM", {"photos": [one]})
    told = details()["media"]
    with caplog.at_level(logging.WARNING):
        for code in ("http_403", "media_hash"):
            answer = get(client, told["files"][0]["url"], told["ticket"])
            assert (answer.status_code, answer.json()) == (502, {"error": code})
    assert MediaFile.objects.get().fetched_at is None
    for secret in (told["ticket"], one["cdn_url"], one["file_name"]):
        assert secret not in caplog.text


def test_thirty_files_fit_the_header(serve: Any, cdn: Receiver) -> None:
    make, details = serve
    phone = make(fetch_media=True)
    one = entry(cdn)
    assert phone.step("FORM", {"a_component_with_a_long_name": [one] * 30}).status == 200
    told = details()["media"]
    assert len(told["files"]) == 30
    assert len(base64.b64encode(json.dumps(details(), separators=(",", ":")).encode())) < 8000
    assert (MediaFile.objects.get(pk=told["files"][0]["url"][-36:]).expires_at) > (
        timezone.now() + timedelta(minutes=55)
    )
