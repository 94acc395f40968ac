"""Registers people and roles."""

from console.people import PersonAdmin, RoleAdmin

__all__ = ["PersonAdmin", "RoleAdmin"]
