"""Files that leave with a reply: put to a draft, taken off again."""

import mimetypes
from collections.abc import Sequence
from pathlib import PurePosixPath

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import F, Sum

from responses.inbox.services import EDITABLE
from responses.models import Draft, DraftAttachment
from reviewdesk.audit.services import record
from reviewdesk.errors import Conflict, DeskError
from reviewdesk.people.models import User

MAX_BYTES = 20 * 2**20  # of one reply; most mail servers take 25 MB, and base64 adds a third to the files
MAX_FILES = 20


def attach(*, draft: Draft, files: Sequence[UploadedFile], user: User) -> list[DraftAttachment]:
    """Put files to a draft that is still open. Raises DeskError for too many or too large ones, Conflict for a sent one."""
    with transaction.atomic():
        now = Draft.objects.select_for_update().get(pk=draft.pk)
        if now.status not in EDITABLE:
            raise Conflict(f"This draft is {now.get_status_display().lower()} by now.", code="already_done")
        there = now.attachments.aggregate(size=Sum("size"))["size"] or 0
        size = there + sum(f.size or 0 for f in files)
        if size > MAX_BYTES or now.attachments.count() + len(files) > MAX_FILES:
            raise DeskError(
                f"{len(files)} files make {size:,} bytes; allowed: {MAX_BYTES:,} bytes in {MAX_FILES} files a reply"
            )
        added = [_store(now, file) for file in files]
        Draft.objects.filter(pk=now.pk).update(version=F("version") + 1)  # who has it open shall see the files first
        record(action="attach", target=now.email, actor=user, draft=now.pk, files=[a.filename for a in added])
    return added


def _store(draft: Draft, file: UploadedFile) -> DraftAttachment:
    """Its type is told by its name, never by what the browser says."""
    name = PurePosixPath((file.name or "file").replace("\\", "/")).name[:255] or "file"
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return DraftAttachment.objects.create(draft=draft, filename=name, content_type=kind, size=file.size or 0, file=file)


def detach(*, attachment: DraftAttachment, user: User) -> None:
    draft = Draft.objects.get(pk=attachment.draft_id)
    if draft.status not in EDITABLE:
        raise Conflict(f"This draft is {draft.get_status_display().lower()} by now.", code="already_done")
    Draft.objects.filter(pk=draft.pk).update(version=F("version") + 1)
    record(action="detach", target=draft.email, actor=user, draft=draft.pk, file=attachment.filename)
    attachment.file.delete(save=False)
    attachment.delete()
