"""Rows of the classifier, one file per noun."""

from classifier.models.attachment import Attachment
from classifier.models.email import Email
from classifier.models.export import Export
from classifier.models.intake import ImportRun
from classifier.models.mailbox import Mailbox
from classifier.models.prediction import Prediction
from classifier.models.queue import DEFAULTS, ReviewQueue
from classifier.models.registry import Evaluation, ModelAlias, ModelVersion, ServingPeriod
from classifier.models.retraining import DataSet, Retraining, RetrainingPlan
from classifier.models.review import Disagreement, ReviewItem, Source, Verification, WithoutSubtype
from classifier.models.sample import AccuracyAlert, SampleDraw, SamplePlan
from classifier.models.taxonomy import Department, EmailType, Subtype
from classifier.models.thread import Customer, Thread, ThreadReference
from classifier.models.training import TrainingRun
from classifier.models.trigger import TriggerReading

__all__ = [
    "DEFAULTS",
    "AccuracyAlert",
    "Attachment",
    "Customer",
    "DataSet",
    "Department",
    "Disagreement",
    "Email",
    "EmailType",
    "Evaluation",
    "Export",
    "ImportRun",
    "Mailbox",
    "ModelAlias",
    "ModelVersion",
    "Prediction",
    "Retraining",
    "RetrainingPlan",
    "ReviewItem",
    "ReviewQueue",
    "SampleDraw",
    "SamplePlan",
    "ServingPeriod",
    "Source",
    "Subtype",
    "Thread",
    "ThreadReference",
    "TrainingRun",
    "TriggerReading",
    "Verification",
    "WithoutSubtype",
]
