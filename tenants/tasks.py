"""What the worker does by the clock."""

from celery import shared_task

from tenants import key_use, lifecycle, notices, rollout


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


@shared_task(ignore_result=True)
def destroy_due_keys() -> int:
    """Erase the material of the versions whose waiting time is over."""
    return lifecycle.destroy_due_keys()


@shared_task(ignore_result=True)
def warn_of_expiry() -> int:
    """Tell the log and the operators which keys near their expiry."""
    told = lifecycle.warn_of_expiry()
    notices.send_due()
    return told


@shared_task(ignore_result=True)
def send_notices() -> int:
    """Send the operators what could not be sent before."""
    return notices.send_due()


@shared_task(ignore_result=True)
def forget_old_use() -> int:
    """Delete the counts of days that are long over."""
    return key_use.forget_old_days()
