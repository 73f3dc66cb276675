"""The trail in the Django admin, and a base for its pages whose changes belong on the trail."""

from django.contrib import admin

from reviewdesk.audit.models import AuditEvent
from reviewdesk.audit.services import record


class AuditedAdmin(admin.ModelAdmin):
    """Records what is saved and deleted."""

    def save_model(self, request, obj, form, change):
        super().save_model(request, obj, form, change)
        action = f"{'change' if change else 'add'} {obj._meta.model_name}"
        record(action=action, target=obj, actor=request.user, name=str(obj), changed=list(form.changed_data))

    def delete_model(self, request, obj):
        record(action=f"delete {obj._meta.model_name}", target=obj, actor=request.user, name=str(obj))
        super().delete_model(request, obj)

    def delete_queryset(self, request, queryset):
        for obj in queryset:
            self.delete_model(request, obj)


@admin.register(AuditEvent)
class AuditEventAdmin(admin.ModelAdmin):
    list_display = ("at", "actor", "action", "object_type", "object_id")
    list_filter = ("action", "object_type")
    list_select_related = ("actor",)

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False
