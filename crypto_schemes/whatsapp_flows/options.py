"""The options of a WhatsApp flow."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from pydantic import Field, field_validator

from crypto_schemes import json_text
from crypto_schemes.json_text import JSONTextError
from crypto_schemes.options import Options
from crypto_schemes.whatsapp_flows.flow_json import FlowJSON
from crypto_schemes.whatsapp_flows.payload import (
    MAX_FLOW_CTA,
    MAX_FLOW_MESSAGE,
    MAX_SUMMARY,
    check_summary,
)


class WhatsAppFlowsOptions(Options):
    """What can be set about one WhatsApp flow."""

    error_427_body: Literal["sealed", "plain"] = Field(
        "sealed",
        title="Body of a 427 answer",
        description=(
            "How the message of an invalid flow token travels: sealed like any reply"
            " (phones decrypt it), or as plain JSON."
        ),
    )
    require_token_signature: bool = Field(
        False,
        title="Require a flow token signature",
        description=(
            "Refuse requests without flow_token_signature (data API 4.0). One that is there is"
            " always checked. Health checks and error notifications never need one."
        ),
    )
    retry_window: int = Field(
        60,
        ge=0,
        le=600,
        title="Retry window (seconds)",
        description=(
            "A phone's retry button sends the same step again. Within this time the first"
            " answer is given again and your service is not asked twice; 0 turns this off."
        ),
    )
    flow_json: str = Field(
        "",
        max_length=1_000_000,
        title="Flow JSON",
        description=(
            "The flow's definition as published. With it, every answer is checked against the"
            " routing model and the screen's data before it is sealed. Leave empty for no check."
        ),
    )
    summary_template: str = Field(
        "",
        max_length=MAX_SUMMARY,
        title="Summary message",
        description=(
            "Text for the user once the flow is complete, with {name} for a member of the"
            " result, for example: Thank you {name}, see you on {date}. It goes out filled in with"
            " the callback, as summary, and to the user as a WhatsApp message where the"
            " flow has a phone number id and an access token. Empty for none."
        ),
    )
    phone_number_id: str = Field(
        "",
        pattern=r"^[0-9]{0,32}$",
        title="Phone number id",
        description=(
            "The id (not the number) of the business phone number in the Cloud API: messages are"
            " sent from it, and its public key is looked after. Empty: nothing is sent."
        ),
    )
    meta_flow_id: str = Field(
        "",
        pattern=r"^[0-9]{0,32}$",
        title="Flow id at Meta",
        description="The id of the published form, for messages that open it.",
    )
    flow_message: str = Field(
        "",
        max_length=MAX_FLOW_MESSAGE,
        title="Text of the opening message",
        description="What stands above the button of a message that opens the form.",
    )
    flow_cta: str = Field(
        "Open",
        min_length=1,
        max_length=MAX_FLOW_CTA,
        title="Button of the opening message",
        description="At most 30 characters, without emoji.",
    )
    first_screen: str = Field(
        "",
        pattern=r"^[A-Za-z0-9_]{0,64}$",
        title="First screen",
        description=(
            "The screen a message opens the form with, without asking this endpoint. Empty: the"
            " endpoint is asked (INIT)."
        ),
    )
    fetch_media: bool = Field(
        False,
        title="Offer attached files to your service",
        description=(
            "Pictures and documents in a request come with an address here from which your"
            " service gets them downloaded, checked and decrypted (Sealgate-Details: media)."
        ),
    )
    forward_updates: Literal["none", "all"] = Field(
        "none",
        title="Forward webhook updates",
        description=(
            "Post every update of the webhook to the callback URL too, as whatsapp.update: one"
            " callback each, so there may be many."
        ),
    )

    @field_validator("flow_json", mode="before")
    @classmethod
    def _flow_json_as_text(cls, value: object) -> object:
        if isinstance(value, dict):
            try:
                return json_text.compact(value).decode("utf-8")
            except JSONTextError as error:
                raise ValueError(str(error)) from None
        return value

    @field_validator("flow_json")
    @classmethod
    def _flow_json_parses(cls, value: str) -> str:
        if value.strip():
            FlowJSON.parse(value)
            return value
        return ""

    @field_validator("summary_template")
    @classmethod
    def _summary_is_fillable(cls, value: str) -> str:
        return check_summary(value)

    @cached_property
    def flow(self) -> FlowJSON | None:
        """Return the parsed Flow JSON, or None where none is stored."""
        return FlowJSON.parse(self.flow_json) if self.flow_json else None
