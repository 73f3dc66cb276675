"""Rows of the classifier, one file per noun."""

from classifier.models.attachment import Attachment
from classifier.models.email import Email
from classifier.models.intake import ImportRun
from classifier.models.mailbox import Mailbox
from classifier.models.prediction import Prediction
from classifier.models.registry import ModelAlias, ModelVersion
from classifier.models.review import ReviewItem, SampleDraw, Source, Verification
from classifier.models.taxonomy import Department, EmailType, Subtype
from classifier.models.thread import Customer, Thread, ThreadReference

__all__ = [
    "Attachment",
    "Customer",
    "Department",
    "Email",
    "EmailType",
    "ImportRun",
    "Mailbox",
    "ModelAlias",
    "ModelVersion",
    "Prediction",
    "ReviewItem",
    "SampleDraw",
    "Source",
    "Subtype",
    "Thread",
    "ThreadReference",
    "Verification",
]
