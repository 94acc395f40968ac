"""WhatsApp Flows: the data endpoint, its signatures, its media, and replies a phone can use.

``scheme`` seals and opens; ``signatures`` covers bodies, flow tokens and webhook
challenges; ``payload`` reads what was opened; ``flow_json`` checks what is to be sealed;
``media`` opens the files a user attached; ``options`` is what can be set of a flow.
"""

from crypto_schemes.whatsapp_flows.options import WhatsAppFlowsOptions
from crypto_schemes.whatsapp_flows.scheme import (
    MAX_BODY,
    SCHEME,
    Session,
    WhatsAppFlows,
    write_envelope,
)

__all__ = [
    "MAX_BODY",
    "SCHEME",
    "Session",
    "WhatsAppFlows",
    "WhatsAppFlowsOptions",
    "write_envelope",
]
