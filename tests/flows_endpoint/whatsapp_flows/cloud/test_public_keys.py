"""The key at the platform against ours: differences are seen, told, and over once mended."""

from __future__ import annotations

import logging

import pytest

from crypto_schemes.ciphers import rsa
from flows_endpoint.whatsapp_flows import actions, public_keys, tasks
from flows_endpoint.whatsapp_flows.models import FlowAlert, KeyVerdict, PhoneKey
from tenants import lifecycle
from tenants.actors import Actor, NotAllowedError
from tenants.keyring import keyring
from tenants.lifecycle import LifecycleError
from tenants.models import AuditEntry, Key
from tests.cloud_api import CloudApi
from tests.flows_endpoint.whatsapp_flows.cloud.conftest import NUMBER_ID, TOKEN, MakeSender
from tests.flows_endpoint.whatsapp_flows.platform import Phone
from tests.support import key_life

pytestmark = pytest.mark.django_db
PING = {"version": "3.0", "action": "ping"}


def look(phone: Phone) -> PhoneKey:
    snapshot = keyring.by_flow_id(str(phone.flow.pk))
    assert snapshot is not None
    return public_keys.look(snapshot)


def open_alerts() -> list[tuple[str, str]]:
    return list(FlowAlert.objects.filter(closed_at=None).values_list("event", "subject"))


def test_an_upload_is_read_back_and_audited(sender: Phone, cloud: CloudApi, actor: Actor) -> None:
    row = actions.upload_public_key(actor, sender.flow)
    key = sender.flow.keys.get(purpose="whatsapp_rsa")
    assert cloud.keys == {NUMBER_ID: key.public_pem}
    assert (row.verdict, row.signature_status, row.fingerprint, row.error) == (
        "active",
        "VALID",
        key.fingerprint,
        "",
    )
    stored = PhoneKey.objects.get()
    assert (stored.uploaded, stored.phone_number_id) == (key, NUMBER_ID)
    assert stored.uploaded_at is not None
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.key, entry.flow) == ("whatsapp.upload_key", key, sender.flow)
    assert entry.after == {"version": 1, "phone_number_id": NUMBER_ID}
    assert open_alerts() == []


def test_the_whole_rotation_serves_every_phone_at_every_moment(
    sender: Phone, cloud: CloudApi, actor: Actor
) -> None:
    actions.upload_public_key(actor, sender.flow)
    old_pem, new = sender.public_key, lifecycle.generate_key(actor, sender.flow, "whatsapp_rsa")

    def both_serve() -> None:
        for pem in (old_pem, new.secret):
            sender.public_key = pem
            assert sender.send(PING).status == 200

    both_serve()  # staged: accepted before anybody has it
    assert actions.upload_public_key(actor, sender.flow, new.key).verdict == "staged"
    assert cloud.keys == {NUMBER_ID: new.secret}
    both_serve()
    lifecycle.promote_key(actor, new.key)
    assert look(sender).verdict == "active"
    both_serve()
    key_life.retire(actor, Key.objects.get(purpose="whatsapp_rsa", version=1))
    sender.public_key = new.secret
    assert sender.send(PING).status == 200
    assert not FlowAlert.objects.exists()


def test_the_wrong_order_is_told(
    sender: Phone, cloud: CloudApi, actor: Actor, caplog: pytest.LogCaptureFixture
) -> None:
    actions.upload_public_key(actor, sender.flow)
    new = lifecycle.generate_key(actor, sender.flow, "whatsapp_rsa")
    lifecycle.promote_key(actor, new.key)
    with caplog.at_level(logging.WARNING):
        assert look(sender).verdict == "old"
    assert open_alerts() == [("PUBLIC_KEY", "old")]
    assert "PUBLIC_KEY" in caplog.text
    key_life.retire(actor, Key.objects.get(purpose="whatsapp_rsa", version=1))
    assert look(sender).verdict == "foreign"
    assert open_alerts() == [("PUBLIC_KEY", "foreign")]
    actions.upload_public_key(actor, sender.flow)
    assert open_alerts() == []


def test_a_mismatch_and_a_missing_key_are_told(
    sender: Phone, cloud: CloudApi, actor: Actor
) -> None:
    assert look(sender).verdict == "missing"
    assert open_alerts() == [("PUBLIC_KEY", "missing")]
    actions.upload_public_key(actor, sender.flow)
    assert open_alerts() == []
    cloud.signature_status[NUMBER_ID] = "MISMATCH"
    assert look(sender).verdict == "mismatch"
    assert open_alerts() == [("PUBLIC_KEY", "mismatch")]
    look(sender)
    assert len(open_alerts()) == 1


def test_somebody_else_s_key_is_the_loudest(sender: Phone, cloud: CloudApi) -> None:
    cloud.keys[NUMBER_ID] = rsa.public_pem(rsa.generate(2048))
    cloud.signature_status[NUMBER_ID] = "MISMATCH"
    assert look(sender).verdict == "foreign"


@pytest.mark.parametrize("state", ["retiring", "retired", "revoked", "destroyed"])
def test_a_version_that_ends_is_not_uploaded(
    sender: Phone, cloud: CloudApi, actor: Actor, state: str
) -> None:
    key = sender.flow.keys.get(purpose="whatsapp_rsa")
    new = lifecycle.generate_key(actor, sender.flow, "whatsapp_rsa")
    lifecycle.promote_key(actor, new.key)
    if state in {"retired", "destroyed"}:
        key_life.retire(actor, key)
    if state == "revoked":
        lifecycle.revoke_key(actor, key, reason="leaked")
    if state == "destroyed":
        key_life.destroyed(actor, key)
    audited = AuditEntry.objects.count()
    key.refresh_from_db()
    assert key.state == state
    with pytest.raises(LifecycleError, match="soon opens nothing"):
        actions.upload_public_key(actor, sender.flow, key)
    assert (cloud.seen, AuditEntry.objects.count()) == ([], audited)
    assert not PhoneKey.objects.exists()


def test_another_key_is_not_uploaded(
    sender: Phone, make_sender: MakeSender, cloud: CloudApi, actor: Actor
) -> None:
    other = make_sender().flow.keys.get(purpose="whatsapp_rsa")
    for key in (other, sender.flow.keys.get(purpose="app_secret")):
        with pytest.raises(LifecycleError, match="no encryption key of the flow"):
            actions.upload_public_key(actor, sender.flow, key)
    assert cloud.seen == []


def test_what_the_platform_refuses_is_said_and_not_written(
    sender: Phone, cloud: CloudApi, actor: Actor
) -> None:
    cloud.fail(190)
    audited = AuditEntry.objects.count()
    with pytest.raises(LifecycleError, match="Import a new one") as refused:
        actions.upload_public_key(actor, sender.flow)
    assert TOKEN not in str(refused.value)
    assert AuditEntry.objects.count() == audited
    assert not PhoneKey.objects.exists()


def test_who_may(sender: Phone, cloud: CloudApi, actor: Actor) -> None:
    nobody = Actor(name="nobody", may=lambda _: False)
    for call in (actions.upload_public_key, actions.check_public_key):
        with pytest.raises(NotAllowedError):
            call(nobody, sender.flow)
    assert cloud.seen == []


def test_a_disabled_flow_has_nothing_to_upload(
    sender: Phone, cloud: CloudApi, actor: Actor
) -> None:
    lifecycle.update_flow(actor, sender.flow, {"is_enabled": False})
    with pytest.raises(LifecycleError, match="disabled"):
        actions.upload_public_key(actor, sender.flow)


def test_the_worker_looks_at_every_flow_with_a_number(
    sender: Phone, make_sender: MakeSender, cloud: CloudApi, actor: Actor
) -> None:
    actions.upload_public_key(actor, sender.flow)
    make_sender(options={"phone_number_id": ""})
    make_sender(token="")
    cloud.keys[NUMBER_ID] = rsa.public_pem(rsa.generate(2048))
    tasks.check_public_keys()
    assert PhoneKey.objects.get().verdict == KeyVerdict.FOREIGN
    assert open_alerts() == [("PUBLIC_KEY", "foreign")]


@pytest.mark.parametrize(("code", "alerted"), [(131000, 0), (190, 1)])
def test_a_look_that_fails_keeps_what_was_known(
    sender: Phone, cloud: CloudApi, actor: Actor, code: int, alerted: int
) -> None:
    cloud.fail(code)
    first = look(sender)
    assert (first.verdict, first.error, first.checked_at) == ("unknown", f"cloud_{code}", None)
    actions.upload_public_key(actor, sender.flow)
    cloud.fail(code)
    row = look(sender)
    assert (row.verdict, row.error) == ("active", f"cloud_{code}")
    assert FlowAlert.objects.filter(event="CREDENTIALS_REFUSED").count() == alerted
    assert look(sender).error == ""
