from django.apps import AppConfig


class SwitchesConfig(AppConfig):
    name = "reviewdesk.switches"
    label = "switches"
