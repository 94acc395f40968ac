"""The credentials each contract hands to a partner, member by member, in order."""

from __future__ import annotations

BUNDLES = {
    "kairos": ["flow_id", "security_id", "public_key_pem"],
    "citcall": ["userid", "api_key"],
    "isu": ["pass_key", "client_id", "client_secret", "aes_key_base64"],
    "whatsapp_flows": ["public_key_pem", "app_secret", "verify_token"],
    "flynn": [
        "org_id",
        "handle",
        "password",
        "public_key_pem",
        "gstin",
        "portal_username",
        "portal_password",
    ],
}
