"""Pages of the classifier."""

from django.urls import path, re_path

from classifier import taxonomy_views as taxonomy
from classifier.accuracy import views as accuracy
from classifier.intake import views as intake
from classifier.registry import views as registry
from classifier.retraining import retraining_views as retraining
from classifier.retraining import views as exports
from classifier.review import insight_views as insight
from classifier.review import queue_views as queues
from classifier.review import views as review

urlpatterns = [
    path("review/", review.review, name="review"),
    path("review/next/", review.review_next, name="review-next"),
    path("review/undo/", review.review_undo, name="review-undo"),
    path("review/<int:pk>/answer/", review.review_answer, name="review-answer"),
    path("review/<int:pk>/move/", review.review_move, name="review-move"),
    path("review/<int:pk>/heartbeat/", review.review_heartbeat, name="review-heartbeat"),
    path("review/<int:pk>/claim/", review.review_claim, name="review-claim"),
    path("review/<int:pk>/release/", review.review_release, name="review-release"),
    path("review/progress/", insight.review_progress, name="review-progress"),
    path("review/agreement/", insight.review_agreement, name="review-agreement"),
    path("review/disagreements/", insight.disagreements, name="disagreements"),
    path("review/second-looks/", insight.second_looks, name="second-looks"),
    path("review/disagreements/<int:pk>/", insight.disagreement_decide, name="disagreement-decide"),
    path("review/holders/", review.review_holders, name="review-holders"),
    path("review/history/", review.review_history, name="review-history"),
    path("review/subtypes/<int:pk>/examples/", review.subtype_examples, name="subtype-examples"),
    path("review/disagreements/<int:pk>/undo/", insight.disagreement_undo, name="disagreement-undo"),
    path("settings/queues/", queues.queues, name="queues"),
    path("settings/queues/<slug:source>/", queues.queue_change, name="queue-change"),
    path("settings/taxonomy/", taxonomy.taxonomy, name="taxonomy"),
    path("settings/taxonomy/add/", taxonomy.department_add, name="department-add"),
    path("settings/taxonomy/<int:pk>/", taxonomy.department, name="taxonomy-department"),
    path("settings/taxonomy/<int:pk>/change/", taxonomy.department_change, name="department-change"),
    path("settings/taxonomy/<int:pk>/subtypes/", taxonomy.subtype_add, name="subtype-add"),
    path("settings/subtypes/<int:pk>/change/", taxonomy.subtype_change, name="subtype-change"),
    path("settings/subtypes/<int:pk>/effect/", taxonomy.subtype_effect, name="subtype-effect"),
    path("settings/subtypes/<int:pk>/retire/", taxonomy.subtype_retire, name="subtype-retire"),
    path("settings/subtypes/<int:pk>/restore/", taxonomy.subtype_restore, name="subtype-restore"),
    path("settings/subtypes/<int:pk>/merge/effect/", taxonomy.subtype_merge_effect, name="subtype-merge-effect"),
    path("settings/subtypes/<int:pk>/merge/", taxonomy.subtype_merge, name="subtype-merge"),
    path("settings/thresholds/<int:pk>/", queues.threshold_set, name="threshold-set"),
    path("settings/thresholds/<int:pk>/preview/", queues.threshold_preview, name="threshold-preview"),
    path("imports/", intake.imports, name="imports"),
    path("imports/upload/", intake.upload, name="import-upload"),
    path("imports/<int:pk>/", intake.import_panel, name="import-panel"),
    path("imports/broken/", intake.broken, name="import-broken"),
    path("emails/<int:pk>/html/", intake.email_html, name="email-html"),
    path("attachments/<int:pk>/", intake.attachment, name="attachment"),
    path("retraining/", retraining.retraining, name="retraining"),
    path("retraining/check/", retraining.triggers_check, name="triggers-check"),
    path("retraining/start/", retraining.retrain, name="retrain"),
    path("retraining/plan/", retraining.retraining_plan, name="retraining-plan"),
    path("retraining/<int:pk>/", retraining.retraining_run, name="retraining-run"),
    path("retraining/<int:pk>/promote/", retraining.retraining_promote, name="retraining-promote"),
    path("retraining/<int:pk>/cancel/", retraining.retraining_cancel, name="retraining-cancel"),
    path("retraining/data/<int:pk>/", retraining.data_set_download, name="data-set-download"),
    path("accuracy/", accuracy.accuracy, name="accuracy"),
    path("accuracy/emails/", accuracy.accuracy_emails, name="accuracy-emails"),
    path("accuracy/more/", accuracy.sample_more, name="sample-more"),
    path("accuracy/plan/", accuracy.sample_plan, name="sample-plan"),
    path("accuracy/<slug:slug>.csv", accuracy.accuracy_table, name="accuracy-table"),
    path("models/", registry.models, name="models"),
    path("models/compare/", registry.compare, name="models-compare"),
    path("models/rollback/", registry.roll_back_model, name="model-rollback"),
    path("models/train/", registry.train_model, name="model-train"),
    path("models/runs/<int:pk>/", registry.training_run, name="training-run"),
    path("models/runs/<int:pk>/log/", registry.training_log, name="training-log"),
    path("models/runs/<int:pk>/cancel/", registry.cancel_run, name="training-cancel"),
    path("models/<str:version>/", registry.model, name="model"),
    path("models/<str:version>/promote/", registry.promote_model, name="model-promote"),
    path("models/<str:version>/thresholds/", registry.apply_thresholds, name="model-thresholds"),
    re_path(r"^models/(?P<version>[^/]+)/(?P<move>test|archive|restore)/$", registry.move_model, name="model-move"),
    path("retraining/exports/add/", exports.export_add, name="export-add"),
    path("retraining/exports/<int:pk>/", exports.export_row, name="export-row"),
    path("retraining/exports/<int:pk>/file/", exports.export_download, name="export-download"),
]
