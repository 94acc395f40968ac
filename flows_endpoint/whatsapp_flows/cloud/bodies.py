"""The JSON of a message, as the Cloud API takes it."""

from __future__ import annotations

import secrets
from typing import Any, Final

from crypto_schemes.json_text import JSONValue
from crypto_schemes.whatsapp_flows import WhatsAppFlowsOptions
from crypto_schemes.whatsapp_flows.payload import MAX_SUMMARY
from flows_endpoint.whatsapp_flows.cloud.recipients import addressed_to

#: Random bytes behind a flow token: nobody can guess one.
_TOKEN_BYTES: Final = 32


class MessageError(ValueError):
    """The message cannot be written. The text says which setting is missing."""


def new_flow_token() -> str:
    """Return a flow token that nobody can guess."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def text_message(recipient: str, text: str, message_id: str) -> dict[str, Any]:
    """Return a text message. ``message_id`` comes back with each status. Raises MessageError."""
    if not text.strip() or len(text) > MAX_SUMMARY:
        raise MessageError(f"A text must have 1 to {MAX_SUMMARY} characters.")
    said = {"type": "text", "text": {"preview_url": False, "body": text}}
    return _addressed(recipient, message_id) | said


def flow_message(
    recipient: str,
    token: str,
    options: WhatsAppFlowsOptions,
    message_id: str,
    *,
    data: JSONValue = None,
) -> dict[str, Any]:
    """Return a message whose button opens the form under ``token``.

    With a first screen in the options it opens there, filled with ``data`` (an object with
    members); else the endpoint is asked with INIT. Raises MessageError.
    """
    if not options.meta_flow_id:
        raise MessageError("Set the flow's id at Meta (an option of the contract).")
    if not options.flow_message.strip():
        raise MessageError("Set the text of the opening message (an option of the contract).")
    parameters: dict[str, Any] = {
        "flow_message_version": "3",
        "flow_id": options.meta_flow_id,
        "flow_cta": options.flow_cta,
        "flow_token": token,
        "flow_action": "navigate" if options.first_screen else "data_exchange",
    }
    if options.first_screen:
        payload = {"screen": options.first_screen}
        parameters["flow_action_payload"] = payload | ({"data": data} if data else {})
    elif data:
        raise MessageError("Data for the first screen needs the option of the first screen.")
    interactive = {
        "type": "flow",
        "body": {"text": options.flow_message},
        "action": {"name": "flow", "parameters": parameters},
    }
    return _addressed(recipient, message_id) | {"type": "interactive", "interactive": interactive}


def _addressed(recipient: str, message_id: str) -> dict[str, Any]:
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **addressed_to(recipient),
        "biz_opaque_callback_data": message_id,
    }
