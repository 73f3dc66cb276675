"""What an admin may ask of the workshop."""

from django import forms

from classifier.models import Evaluation

SUFFIXES = (".csv", ".jsonl", ".csv.gz", ".jsonl.gz")
WAYS = [("frozen", "Heads only: minutes"), ("fine-tuned", "Everything: a GPU")]


class TrainForm(forms.Form):
    """A training run: its data, its way, and the few settings people change."""

    name = forms.CharField(max_length=80)
    file = forms.FileField(required=False)
    way = forms.ChoiceField(choices=WAYS, initial="frozen")
    epochs = forms.IntegerField(min_value=1, max_value=100, initial=10, required=False)
    learning_rate = forms.FloatField(min_value=1e-7, max_value=1, initial=2e-5, required=False)
    batch_size = forms.IntegerField(min_value=1, max_value=1024, initial=8, required=False)
    augment = forms.IntegerField(min_value=0, max_value=1000, initial=0, required=False)
    class_weights = forms.BooleanField(required=False)

    def clean_file(self):
        file = self.cleaned_data["file"]
        if file and not file.name.lower().endswith(SUFFIXES):
            raise forms.ValidationError(f"{file.name} cannot be read; allowed: {', '.join(SUFFIXES)}")
        return file

    def options(self) -> dict:
        """The command's options; what was left empty keeps its default."""
        given = self.cleaned_data
        names = ("epochs", "learning_rate", "batch_size", "augment")
        options = {name: given[name] for name in names if given[name] is not None}
        return options | {"frozen": given["way"] == "frozen", "class_weights": given["class_weights"]}


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=300, required=False)


class PromoteForm(forms.Form):
    """`force`: also where the check found problems."""

    reason = forms.CharField(max_length=300)
    force = forms.BooleanField(required=False)


class RollBackForm(ReasonForm):
    """`serving`: the version the page showed in production."""

    serving = forms.CharField(max_length=80, required=False)


class AccuracyForm(forms.Form):
    """The accuracy that what is kept shall have."""

    accuracy = forms.FloatField(min_value=0.5, max_value=0.999)


class CompareForm(forms.Form):
    a = forms.ModelChoiceField(Evaluation.objects.select_related("version"))
    b = forms.ModelChoiceField(Evaluation.objects.select_related("version"))
