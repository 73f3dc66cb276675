from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from reviewdesk.people.models import ApiToken, User

admin.site.register(User, UserAdmin)


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin):
    list_display = ("user", "name", "created_at", "expires_at", "last_used_at")
    readonly_fields = ("user", "digest", "scopes", "created_at", "last_used_at")

    def has_add_permission(self, request):
        return False  # a token is shown once, by `manage.py create_token`
