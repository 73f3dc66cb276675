"""The endpoints under /api/v1/."""

from django.urls import path

from classifier.intake import api as intake
from classifier.prediction import api as prediction
from classifier.registry import api as registry
from classifier.retraining import api as retraining
from classifier.review import api as review
from responses.inbox import api as inbox
from reviewdesk.experiments import api as experiments

urlpatterns = [
    path("classify", prediction.classify),
    path("emails", intake.emails),
    path("emails/<int:pk>", intake.email),
    path("review-items/next", review.next_item),
    path("review-items/<int:pk>/heartbeat", review.heartbeat),
    path("review-items/<int:pk>/release", review.release),
    path("review-items/<int:pk>/verification", review.verification),
    path("review-items/<int:pk>/undo", review.undo_item),
    path("exports", retraining.export_list),
    path("exports/<int:pk>", retraining.export),
    path("exports/<int:pk>/file", retraining.download),
    path("experiments", experiments.experiments),
    path("experiments/<slug:slug>", experiments.experiment),
    path("experiments/<slug:slug>/start", experiments.start),
    path("experiments/<slug:slug>/end", experiments.end),
    path("experiments/<slug:slug>/rollback", experiments.roll_back),
    path("models", registry.models),
    path("models/rollback", registry.roll_back),
    path("models/<str:version>", registry.model),
    path("models/<str:version>/promote", registry.promote),
    path("models/<str:version>/archive", registry.archive),
    path("drafts/<int:pk>", inbox.draft),
    path("drafts/<int:pk>/approve", inbox.approve),
    path("drafts/<int:pk>/undo", inbox.undo),
    path("drafts/<int:pk>/reject", inbox.reject),
]
