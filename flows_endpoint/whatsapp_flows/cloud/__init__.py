"""What this product says to the WhatsApp Cloud API, and what its answers mean.

Source: Meta, "Cloud API" (messages, error codes), "WhatsApp Flows: sending a flow" and
"WhatsApp Business encryption".
"""
