"""What operators do to deliveries and endpoints, the same from the admin and the command line.

Each verb checks the permission, takes its locks, guards the transition, writes the change and
leaves an audit entry, all in one transaction. What concerns many deliveries is done in pieces,
each a transaction of its own, so nobody waits long for one; a range that may be of any size is a
:class:`callbacks.models.Replay`, which the worker does.

``callbacks.retry_delivery`` is needed for deliveries, ``callbacks.operate_endpoint`` for endpoints.
"""

from callbacks.operations.deliveries import (
    cancel,
    cancel_matching,
    retry,
    retry_matching,
)
from callbacks.operations.endpoints import (
    CHANGEABLE,
    TEST_EVENT,
    enable,
    pause,
    resume,
    send_test,
    set_up,
)
from callbacks.operations.replays import cancel_replay, start_replay
from callbacks.operations.selection import Selection

__all__ = [
    "CHANGEABLE",
    "TEST_EVENT",
    "Selection",
    "cancel",
    "cancel_matching",
    "cancel_replay",
    "enable",
    "pause",
    "resume",
    "retry",
    "retry_matching",
    "send_test",
    "set_up",
    "start_replay",
]
