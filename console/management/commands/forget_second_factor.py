"""Let somebody whose authenticator is lost set up a new one."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from console import access
from console.models import SecondFactor
from tenants.actors import Actor


class Command(BaseCommand):
    """Forget a person's second factor and end their sessions."""

    help = "Forget a person's second factor; they set up a new one at their next log-in."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("username")

    def handle(self, *, username: str, **options: Any) -> None:
        """Delete the factor and every session of the person."""
        user = get_user_model().objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is nobody called {username}.")
        with transaction.atomic():
            count, _ = SecondFactor.objects.filter(user=user).delete()
            for session in Session.objects.iterator():
                if session.get_decoded().get("_auth_user_id") == str(user.pk):
                    session.delete()
            if count:
                access.forgot_second_factor(Actor.command_line(), user)
        self.stdout.write(
            f"Forgot the second factor of {username}." if count else f"{username} had none."
        )
