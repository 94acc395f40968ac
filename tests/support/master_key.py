"""The master key of the tests and of all copies of the product that they start.

With one key a database that was migrated once can be copied for all: its first secrets are sealed.
"""

from __future__ import annotations

from typing import Final

#: As ``SEALGATE_MASTER_KEYS`` holds it.
MASTER_KEYS: Final = "1:q83vEjRWeJCrze8SNFZ4kHQdTnGiL7PCPLD1Ahu+X3c="
