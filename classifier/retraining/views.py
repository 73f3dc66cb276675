"""Exports of the labels: asked for, watched, downloaded."""

import re
from collections.abc import Iterator
from pathlib import Path

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from classifier.models import Export
from classifier.retraining import exports
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import ADMIN

BLOCK = 2**16
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@require_POST
@for_roles(ADMIN)
def export_add(request: DeskRequest) -> HttpResponse:
    export = exports.request_export(format=request.POST.get("format", ""), by=request.user)
    messages.info(request, f"{export.get_format_display()}: being written.")
    return redirect("retraining")


@for_roles(ADMIN)
def export_row(request: DeskRequest, pk: int) -> HttpResponse:
    """A row of the list; asks again by itself until the export is done."""
    return render(request, "classifier/_export_row.html", {"export": get_object_or_404(Export, pk=pk)})


@for_roles(ADMIN)
def export_download(request: DeskRequest, pk: int) -> HttpResponseBase:
    return send_export(request, get_object_or_404(Export, pk=pk))


def send_export(request: HttpRequest, export: Export) -> HttpResponseBase:
    """The file; a download that broke off goes on from where it was, by `Range` and the checksum as `ETag`."""
    path = exports.path_of(export) if export.file else None
    if path is None or not path.is_file():
        raise Http404("The file of this export is gone; ask for a new one.")
    asked = _RANGE.fullmatch(request.headers.get("Range", ""))
    current = request.headers.get("If-Range", f'"{export.sha256}"') == f'"{export.sha256}"'
    if asked and current:
        response = _rest(path, int(asked[1]), int(asked[2]) if asked[2] else export.size - 1, export.size)
    else:
        response = FileResponse(path.open("rb"))
    response["Accept-Ranges"], response["ETag"] = "bytes", f'"{export.sha256}"'
    response["Content-Disposition"] = f'attachment; filename="{export}"'
    return response


def _rest(path: Path, first: int, last: int, size: int) -> HttpResponseBase:
    last = min(last, size - 1)
    if first > last:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    response = StreamingHttpResponse(_blocks(path, first, last), status=206)
    response["Content-Range"] = f"bytes {first}-{last}/{size}"
    response["Content-Length"] = str(last - first + 1)
    return response


def _blocks(path: Path, first: int, last: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(first)
        left = last - first + 1
        while left and (block := file.read(min(BLOCK, left))):
            left -= len(block)
            yield block
