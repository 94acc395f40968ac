"""The encryption contracts Sealgate speaks, as a pure library.

Nothing here imports Django, opens a socket, reads a clock it was not handed or
keeps state between calls: bytes, parsed keys and options go in, bytes and JSON
come out. A partner can use the same package as a client.

Each contract is one module (``kairos``, ``citcall``, ``isu``, ``flynn``,
``whatsapp_flows``) with one :class:`crypto_schemes.scheme.Scheme` object named
``SCHEME``. Everything that touches a cipher lives in
:mod:`crypto_schemes.ciphers`.
"""
