"""The public key the platform hands to phones, compared with ours.

An upload replaces the key of the phone number for everybody, so only a version that goes on opening
may be uploaded. Phones keep the key before for a while, which is why a new version is accepted
(staged) first, then uploaded, then promoted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Final

from django.db import transaction
from django.utils import timezone

from flows_endpoint.whatsapp_flows import alerts
from flows_endpoint.whatsapp_flows.cloud import client
from flows_endpoint.whatsapp_flows.cloud.accounts import NotConfiguredError, account_of
from flows_endpoint.whatsapp_flows.cloud.client import CloudApiError, PublishedKey
from flows_endpoint.whatsapp_flows.cloud.dispositions import Disposition
from flows_endpoint.whatsapp_flows.models import AlertSource, KeyVerdict, PhoneKey
from tenants.keyring import FlowSnapshot, keyring
from tenants.models import Flow, Key, KeyState

logger = logging.getLogger(__name__)

PURPOSE: Final = "whatsapp_rsa"
#: Seconds after which a round of looks ends.
LONGEST_ROUND: Final = 600.0
#: States of a version that may be uploaded.
UPLOADABLE: Final = (KeyState.STAGED, KeyState.ACTIVE)
_VERDICT_OF: Final = {
    KeyState.ACTIVE: KeyVerdict.ACTIVE,
    KeyState.STAGED: KeyVerdict.STAGED,
    KeyState.RETIRING: KeyVerdict.OLD,
}
#: Verdicts that nobody needs to do anything about.
_GOOD: Final = frozenset({KeyVerdict.ACTIVE, KeyVerdict.STAGED, KeyVerdict.UNKNOWN})


def verdict_of(published: PublishedKey, keys: Iterable[Key]) -> KeyVerdict:
    """Return what the platform's key is to a flow with these versions."""
    if not published.fingerprint:
        return KeyVerdict.MISSING
    ours = [key for key in keys if key.fingerprint == published.fingerprint]
    verdicts = [_VERDICT_OF[state] for key in ours if (state := KeyState(key.state)) in _VERDICT_OF]
    if not verdicts:
        return KeyVerdict.FOREIGN
    if published.signature_status == "MISMATCH":
        return KeyVerdict.MISMATCH
    return verdicts[0]


def is_good(verdict: str) -> bool:
    """Return whether nobody needs to do anything."""
    return KeyVerdict(verdict) in _GOOD


def look(flow: FlowSnapshot) -> PhoneKey:
    """Read the flow's key back from the platform, compare it, and warn if it is not as it should.

    Raises NotConfiguredError; what the platform refuses is noted on the row instead.
    """
    account = account_of(flow)
    try:
        published = client.read_public_key(account)
    except CloudApiError as error:
        return _note_failure(flow, account.phone_number_id, error)
    with transaction.atomic():
        verdict = verdict_of(published, Key.objects.filter(flow_id=flow.id, purpose=PURPOSE))
        row, _ = PhoneKey.objects.update_or_create(
            flow_id=flow.id,
            defaults={
                "phone_number_id": account.phone_number_id,
                "fingerprint": published.fingerprint,
                "signature_status": published.signature_status[:32],
                "verdict": verdict,
                "checked_at": timezone.now(),
                "error": "",
            },
        )
        _tell(flow.id, verdict)
    return row


def look_at_all(seconds: float = LONGEST_ROUND) -> int:
    """Look at the key of every flow with a number; return how many are not right.

    In an order of chance, so that a platform that answers slowly leaves out others each time.
    """
    wrong, until = 0, time.monotonic() + seconds
    flows = Flow.objects.filter(scheme="whatsapp_flows", is_enabled=True, client__is_enabled=True)
    for flow_id in flows.order_by("?").values_list("pk", flat=True):
        if time.monotonic() >= until:
            break
        snapshot = keyring.by_flow_id(str(flow_id))
        # Flows of the sandbox may speak to the stand-in without a number; nobody waits for those.
        if snapshot is None or not snapshot.options.phone_number_id:
            continue
        try:
            row = look(snapshot)
        except NotConfiguredError:
            continue
        wrong += not is_good(row.verdict) or bool(row.error)
    return wrong


def _note_failure(flow: FlowSnapshot, phone_number_id: str, error: CloudApiError) -> PhoneKey:
    logger.warning("The public key of flow %s cannot be read back: %s", flow.id, error.error)
    if error.disposition is Disposition.CREDENTIALS:
        alerts.raise_alert(
            flow.id,
            AlertSource.SEALGATE,
            alerts.CREDENTIALS_REFUSED,
            at=timezone.now(),
            message=str(error),
        )
    with transaction.atomic():
        row, _ = PhoneKey.objects.get_or_create(
            flow_id=flow.id,
            defaults={"phone_number_id": phone_number_id, "verdict": KeyVerdict.UNKNOWN},
        )
        row.error = error.error[:64]
        row.save(update_fields=["error"])
    return row


def _tell(flow_id: str, verdict: KeyVerdict) -> None:
    """Open the alert of a bad verdict, and close those of others."""
    now = timezone.now()
    open_ones = alerts.open_subjects(flow_id, AlertSource.SEALGATE, alerts.PUBLIC_KEY)
    for subject in open_ones - {verdict}:
        alerts.end_alert(flow_id, AlertSource.SEALGATE, alerts.PUBLIC_KEY, at=now, subject=subject)
    if verdict not in _GOOD:
        alerts.raise_alert(
            flow_id,
            AlertSource.SEALGATE,
            alerts.PUBLIC_KEY,
            at=now,
            subject=verdict,
            message=f"The public key at Meta: {verdict.label}.",
        )
