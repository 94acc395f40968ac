"""Number the entries there are from 1 without gaps, and chain them."""

import os

from django.db import migrations

from tenants import at_rest, audit_chain


def fill(apps, schema_editor):
    InternalSecret = apps.get_model("tenants", "InternalSecret")
    context = f"tenants.internalsecret|{audit_chain.SECRET}"
    row = InternalSecret.objects.filter(name=audit_chain.SECRET).first()
    if row is None:
        row = InternalSecret(name=audit_chain.SECRET, sealed=at_rest.seal(os.urandom(32), context))
        row.save(force_insert=True)
    secret = at_rest.open_sealed(row.sealed, context)
    AuditEntry = apps.get_model("tenants", "AuditEntry")
    length, digest = 0, audit_chain.START
    # The number never goes up, so no other entry has it any more.
    for old in list(AuditEntry.objects.order_by("pk").values_list("pk", flat=True)):
        entry = AuditEntry.objects.get(pk=old)
        length += 1
        entry.previous_digest = digest
        digest = audit_chain.digest_of(entry, secret, number=length)
        AuditEntry.objects.filter(pk=old).update(
            id=length, previous_digest=entry.previous_digest, digest=digest
        )
    apps.get_model("tenants", "AuditHead").objects.update_or_create(
        pk=1, defaults={"length": length, "digest": digest}
    )


class Migration(migrations.Migration):

    dependencies = [("tenants", "0003_audit_chain")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
