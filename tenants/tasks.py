"""What the worker does by the clock."""

from celery import shared_task

from tenants import lifecycle, rollout


@shared_task(ignore_result=True)
def retire_expired_keys() -> int:
    """Retire the versions whose overlap is over."""
    return lifecycle.retire_expired_keys()


@shared_task(ignore_result=True)
def forget_gone_processes() -> int:
    """Delete the reports of processes that are gone for long."""
    return rollout.forget_gone()


@shared_task(ignore_result=True)
def expire_requests() -> int:
    """End the requests for a second person that nobody decided on in time."""
    return lifecycle.approvals.expire_requests()
