"""What the worker does by the clock."""

from celery import shared_task

from tenants import lifecycle


@shared_task(ignore_result=True)
def retire_expired_keys() -> int:
    """Retire the versions whose overlap is over."""
    return lifecycle.retire_expired_keys()
