"""What came with an email."""

from classifier.models import Attachment, Email

MAX_IMAGE, MAX_IMAGES = 2 * 2**20, 6 * 2**20  # bytes of one picture, and of all, that are shown within an email


def inline_images(*, email: Email) -> dict[str, bytes]:
    """Content-ID → bytes of the pictures that an email's HTML may show; the ones that are too large stay attachments."""
    found: dict[str, bytes] = {}
    room = MAX_IMAGES
    for attachment in Attachment.objects.filter(email=email, size__lte=MAX_IMAGE).exclude(content_id="").order_by("pk"):
        if attachment.size <= room:
            with attachment.file.open("rb") as stream:
                found[attachment.content_id] = stream.read()
            room -= attachment.size
    return found
