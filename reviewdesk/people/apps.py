from django.apps import AppConfig


class PeopleConfig(AppConfig):
    name = "reviewdesk.people"
    label = "people"
