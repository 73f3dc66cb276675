"""A desk of before: its vectors move into rows of their own and are found again."""

import numpy as np
import pytest

from classifier.models import Department
from responses.models import Document, KnowledgeState, PassageVectors
from responses.retrieval.base import Query
from responses.retrieval.embedders import chosen_embedder
from responses.retrieval.search import find

TEXT = "The reset link is valid for 30 minutes."


def test_vectors_of_an_earlier_desk_are_found_again(as_of):
    earlier = as_of("responses", "0002_sent_drafts")
    department = Department.objects.create(slug="it", name="IT")
    document = earlier.get_model("responses", "Document").objects.create(
        department_id=department.pk, slug="help", title="Help", doc_type="faq", text=TEXT, sha256="x"
    )
    vector = chosen_embedder().encode([f"Help. {TEXT}"])[0]
    earlier.get_model("responses", "Passage").objects.create(
        document=document, position=0, text=TEXT, start=0, end=len(TEXT), embedder="all-MiniLM-L6-v2",
        dimension=len(vector), embedding=vector.tobytes(),
    )  # fmt: skip
    as_of()
    assert KnowledgeState.objects.get().embedder == "all-MiniLM-L6-v2"
    assert Document.objects.get().status == Document.Status.READY
    moved = np.frombuffer(PassageVectors.objects.get().windows, np.float16)
    assert moved == pytest.approx(vector, abs=1e-3)
    (hit,) = find(Query(["How long is the reset link valid?"], department.pk))
    assert hit.text == TEXT and hit.score > 0.5
