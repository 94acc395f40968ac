"""Every verb on clients, flows and keys, in one place.

Each verb checks the permission, takes the row lock, guards the transition, writes the change,
counts the epoch up (so that every process notices) and leaves an audit entry, all in one
transaction. The admin, the commands and scripts call these and nothing else.

Key material is made before the transaction begins: an RSA key of 4096 bits takes seconds, and
nobody else should wait for it. Locks are taken in one order, client, flows, requests for a second
person, keys, audit trail, epoch, so that no two verbs can wait for each other.

Some verbs need a second person where a client's policy says so: they raise
SecondPersonNeededError, and :mod:`tenants.lifecycle.approvals` asks one.
"""

from tenants.lifecycle import approvals
from tenants.lifecycle.barrier import NotLoadedError
from tenants.lifecycle.base import VERBS, LifecycleError
from tenants.lifecycle.break_glass import break_glass
from tenants.lifecycle.bundles import Extra, PartnerBundle, agreed_of, is_for_partner, url_of
from tenants.lifecycle.clients import create_client, relax_client, update_client
from tenants.lifecycle.confirmation import UseNotConfirmedError, needs_confirmation, use_phrase
from tenants.lifecycle.destruction import (
    DEFAULT_WAIT,
    LONGEST_WAIT,
    SHORTEST_WAIT,
    cancel_destruction,
    destroy_due_keys,
    schedule_destruction,
)
from tenants.lifecycle.expiry import (
    count_near_expiry,
    days_left,
    near_expiry,
    read_expiry,
    set_key_expiry,
    threshold_at,
    warn_of_expiry,
)
from tenants.lifecycle.flows import WHERE_DATA_GOES, IssuedFlow, create_flow, update_flow
from tenants.lifecycle.handover_tokens import digest_of, link_of, new_token
from tenants.lifecycle.handovers import (
    DEFAULT_LIFETIME,
    LONGEST_LIFETIME,
    SHORTEST_LIFETIME,
    HandedOver,
    HandOverClosedError,
    IssuedHandOver,
    create_handover,
    keys_to_hand_over,
    open_handover,
    withdraw_handover,
)
from tenants.lifecycle.keys import (
    DEFAULT_OVERLAP,
    LONGEST_OVERLAP,
    IssuedKey,
    check_material,
    generate_key,
    import_key,
    import_text,
    insert_checked,
    promote_key,
    read_text,
    retire_expired_keys,
    retire_key,
    revoke_key,
)
from tenants.lifecycle.promotion import promote_when_loaded
from tenants.lifecycle.second_person import SecondPersonNeededError
from tenants.lifecycle.transitions import allowed_verbs

__all__ = [
    "DEFAULT_LIFETIME",
    "DEFAULT_OVERLAP",
    "DEFAULT_WAIT",
    "LONGEST_LIFETIME",
    "LONGEST_OVERLAP",
    "LONGEST_WAIT",
    "SHORTEST_LIFETIME",
    "SHORTEST_WAIT",
    "VERBS",
    "WHERE_DATA_GOES",
    "Extra",
    "HandOverClosedError",
    "HandedOver",
    "IssuedFlow",
    "IssuedHandOver",
    "IssuedKey",
    "LifecycleError",
    "NotLoadedError",
    "PartnerBundle",
    "SecondPersonNeededError",
    "UseNotConfirmedError",
    "agreed_of",
    "allowed_verbs",
    "approvals",
    "break_glass",
    "cancel_destruction",
    "check_material",
    "count_near_expiry",
    "create_client",
    "create_flow",
    "create_handover",
    "days_left",
    "destroy_due_keys",
    "digest_of",
    "generate_key",
    "import_key",
    "import_text",
    "insert_checked",
    "is_for_partner",
    "keys_to_hand_over",
    "link_of",
    "near_expiry",
    "needs_confirmation",
    "new_token",
    "open_handover",
    "promote_key",
    "promote_when_loaded",
    "read_expiry",
    "read_text",
    "relax_client",
    "retire_expired_keys",
    "retire_key",
    "revoke_key",
    "schedule_destruction",
    "set_key_expiry",
    "threshold_at",
    "update_client",
    "update_flow",
    "url_of",
    "use_phrase",
    "warn_of_expiry",
    "withdraw_handover",
]
