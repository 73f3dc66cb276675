"""Prometheus metrics and the JSON log line of every prediction, under the customer's names."""

import logging

import psutil
from django.utils import timezone
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from ml.scoring import Scores

logger = logging.getLogger("reviewdesk.predictions")

EMAILS_CLASSIFIED = Counter("emails_classified_total", "Emails classified", ["department", "predicted_type"])
LATENCY = Histogram(
    "classification_latency_seconds",
    "Time to classify one email",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
CONFIDENCE = Histogram(
    "model_confidence_score",
    "Confidence of predictions",
    ["prediction_type"],
    buckets=[b / 10 for b in range(1, 11)],
)
ERRORS = Counter("classification_errors_total", "Emails that could not be classified")
GPU_MEMORY = Gauge("gpu_memory_used_bytes", "GPU memory in use by the models", multiprocess_mode="livesum")
CPU = Gauge("cpu_usage_percent", "CPU use of the machine", multiprocess_mode="mostrecent")
CPU.set(0)
GPU_MEMORY.set(0)


def note_prediction(
    *, scores: Scores, department: str, model_version: str, latency_ms: float, email_length: int, email_id: int | None
) -> None:
    """Count a prediction and log it; never the text itself."""
    EMAILS_CLASSIFIED.labels(department, scores.type).inc()
    LATENCY.observe(latency_ms / 1000)
    CONFIDENCE.labels("type").observe(scores.type_confidence)
    CONFIDENCE.labels("subtype").observe(scores.subtype_confidence)
    logger.info(
        "prediction",
        extra={
            "timestamp": timezone.now().isoformat(timespec="milliseconds"),
            "email_id": email_id,
            "department": department,
            "predicted_type": scores.type,
            "predicted_subtype": scores.subtype,
            "confidence_type": round(scores.type_confidence, 4),
            "confidence_subtype": round(scores.subtype_confidence, 4),
            "latency_ms": round(latency_ms, 2),
            "model_version": model_version,
            "email_length": email_length,
        },
    )


def exposition() -> bytes:
    """All metrics of all processes, in the text format."""
    CPU.set(psutil.cpu_percent())
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return generate_latest(registry)
