"""Prometheus metrics and the JSON log line of every prediction, under the customer's names."""

import logging
import sys
from collections.abc import Iterator

import psutil
from django.conf import settings
from django.utils import timezone
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily

from ml.scoring import Scores
from reviewdesk.shared_metrics import SharedMetrics

logger = logging.getLogger("reviewdesk.predictions")
REGISTRY = CollectorRegistry()
SHARED = SharedMetrics(settings.VAR_DIR / "metrics", REGISTRY)

EMAILS_CLASSIFIED = Counter(
    "emails_classified_total", "Emails classified", ["department", "predicted_type"], registry=REGISTRY
)
LATENCY = Histogram(
    "classification_latency_seconds",
    "Time to classify one email",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
    registry=REGISTRY,
)
CONFIDENCE = Histogram(
    "model_confidence_score",
    "Confidence of predictions",
    ["prediction_type"],
    buckets=[b / 10 for b in range(1, 11)],
    registry=REGISTRY,
)
ERRORS = Counter("classification_errors_total", "Emails that could not be classified", registry=REGISTRY)
CPU = Gauge("cpu_usage_percent", "CPU use of the machine", registry=REGISTRY)
GPU_MEMORY = "gpu_memory_used_bytes"


class GpuMemory:
    """Bytes that this process holds on its GPUs, measured when it is asked; nothing where no GPU is in use."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        torch = sys.modules.get("torch")  # a process that has not loaded it uses no GPU
        if torch is not None and torch.cuda.is_initialized():
            used = sum(torch.cuda.memory_reserved(n) for n in range(torch.cuda.device_count()))
            yield GaugeMetricFamily(GPU_MEMORY, "GPU memory in use by the models", used)


REGISTRY.register(GpuMemory())


def note_errors(count: int = 1) -> None:
    """Count emails that could not be classified."""
    ERRORS.inc(count)
    SHARED.touch()


def note_prediction(
    *, scores: Scores, department: str, model_version: str, latency_ms: float, email_length: int, email_id: int | None
) -> None:
    """Count a prediction and log it; never the text itself."""
    EMAILS_CLASSIFIED.labels(department, scores.type).inc()
    LATENCY.observe(latency_ms / 1000)
    CONFIDENCE.labels("type").observe(scores.type_confidence)
    CONFIDENCE.labels("subtype").observe(scores.subtype_confidence)
    SHARED.touch()
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
    return SHARED.exposition()
