"""A stand-in of the WhatsApp Cloud API: a small real HTTP server that keeps the documented rules.

with CloudApi() as cloud:
    cloud.fail(131056, times=2)
    ...  # two messages are refused, the others taken
    assert cloud.messages[0].body["to"] == "15550001111"

``python -m tests.cloud_api --port 8900`` runs it by itself; ``script/server`` does so for the flows
of the sandbox. What a test does by a method, anybody can do there by HTTP below ``/_stand_in``.

Sources: Meta, "Cloud API: messages", "error codes", "WhatsApp Flows: sending a flow", "business
encryption", "webhooks". Written from the documents; it shares no code with the product.
"""

from tests.cloud_api.server import CloudApi, Seen, Taken

__all__ = ["CloudApi", "Seen", "Taken"]
