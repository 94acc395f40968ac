"""manage.py says what is wrong with the configuration in a line, not as a trace."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import management
from django.core.exceptions import ImproperlyConfigured

import manage

pytestmark = pytest.mark.once


def test_a_wrong_configuration_ends_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> None:
        raise ImproperlyConfigured("SEALGATE_MASTER_KEYS is not set. Set it.")

    monkeypatch.setattr(management, "execute_from_command_line", fail)
    with pytest.raises(SystemExit) as ended:
        manage.main()
    said = "The configuration is not right. SEALGATE_MASTER_KEYS is not set. Set it."
    assert ended.value.code == said
