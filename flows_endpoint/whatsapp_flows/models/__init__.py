"""What WhatsApp flows leave behind.

Everything that was opened or signed by somebody is sealed at rest, and so is who somebody is; what
stands in clear are ids, times, kinds from a fixed list, keyed digests, what the platform says of a
flow, and the last characters of a user's number.
"""

from flows_endpoint.whatsapp_flows.models.endpoint import (
    Appointment,
    ErrorKind,
    ErrorReport,
    SealMark,
    StepReply,
)
from flows_endpoint.whatsapp_flows.models.messages import (
    FlowSession,
    MessageKind,
    MessageState,
    WhatsappMessage,
)
from flows_endpoint.whatsapp_flows.models.watch import (
    FlowHealth,
    KeyVerdict,
    MediaFile,
    PhoneKey,
)
from flows_endpoint.whatsapp_flows.models.webhook import (
    AlertSource,
    FlowAlert,
    UpdateKind,
    WebhookUpdate,
)

__all__ = [
    "AlertSource",
    "Appointment",
    "ErrorKind",
    "ErrorReport",
    "FlowAlert",
    "FlowHealth",
    "FlowSession",
    "KeyVerdict",
    "MediaFile",
    "MessageKind",
    "MessageState",
    "PhoneKey",
    "SealMark",
    "StepReply",
    "UpdateKind",
    "WebhookUpdate",
    "WhatsappMessage",
]
