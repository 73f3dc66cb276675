"""The Django admin of the classifier's own settings."""

from django.contrib import admin

from classifier.models import Department, Mailbox, Subtype
from reviewdesk.audit.admin import AuditedAdmin


@admin.register(Department)
class DepartmentAdmin(AuditedAdmin):
    list_display = ("name", "slug", "review_threshold", "active")
    list_editable = ("review_threshold", "active")


@admin.register(Subtype)
class SubtypeAdmin(AuditedAdmin):
    list_display = ("name", "department", "type", "active")
    list_filter = ("department", "type")
    search_fields = ("name", "slug")
    readonly_fields = ("changed_at",)


@admin.register(Mailbox)
class MailboxAdmin(AuditedAdmin):
    list_display = ("name", "address", "department")
