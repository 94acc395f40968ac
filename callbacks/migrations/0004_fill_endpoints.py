"""Give every delivery there is its endpoint; what was pending stays pending and due as it was."""

from django.db import migrations
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce, Now


def fill(apps, schema_editor):
    Delivery = apps.get_model("callbacks", "Delivery")
    Endpoint = apps.get_model("callbacks", "Endpoint")
    Flow = apps.get_model("tenants", "Flow")
    wanted = set(Delivery.objects.order_by().values_list("flow_id", "channel").distinct())
    with_url = Flow.objects.exclude(callback_url="").order_by()
    wanted |= {(pk, "callback") for pk in with_url.values_list("pk", flat=True)}
    Endpoint.objects.bulk_create(
        Endpoint(flow_id=flow_id, channel=channel)
        for flow_id, channel in sorted(wanted, key=lambda each: (str(each[0]), each[1]))
    )
    of_row = Endpoint.objects.filter(flow=OuterRef("flow"), channel=OuterRef("channel"))
    # No order was kept so far, so no row has a place in a lane.
    Delivery.objects.order_by().update(endpoint=Subquery(of_row.values("pk")[:1]), lane="")
    ended = Delivery.objects.exclude(state="pending").order_by()
    ended.update(
        settled_at=Coalesce("settled_at", "next_attempt_at", Now()), next_attempt_at=None
    )
    # What a worker holds is due again when its lease is over.
    Delivery.objects.filter(lease_token__isnull=False).update(next_attempt_at=F("leased_until"))
    # The grid of the schedule begins with the first attempt; nobody noted when that was.
    Delivery.objects.filter(state="pending", step__gt=0).update(round_at=F("created_at"))


class Migration(migrations.Migration):
    dependencies = [("callbacks", "0003_endpoints")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
