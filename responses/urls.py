"""Pages of the replies."""

from django.urls import path, re_path

from responses.figures import views as figures
from responses.inbox import macro_views as macro
from responses.inbox import reply_views as reply
from responses.inbox import thread_views as thread
from responses.inbox import views as inbox
from responses.knowledge import views as knowledge

urlpatterns = [
    path("inbox/", inbox.inbox, name="inbox"),
    path("inbox/threads/", inbox.thread_list, name="inbox-list"),
    path("inbox/bulk/", inbox.bulk, name="inbox-bulk"),
    path("inbox/<int:pk>/", inbox.thread, name="inbox-thread"),
    path("inbox/<int:pk>/status/", inbox.thread_status, name="thread-status"),
    path("inbox/<int:pk>/assign/", thread.thread_assign, name="thread-assign"),
    path("inbox/<int:pk>/snooze/", thread.thread_snooze, name="thread-snooze"),
    path("inbox/<int:pk>/tags/", thread.thread_tags, name="thread-tags"),
    path("inbox/<int:pk>/note/", thread.thread_note, name="thread-note"),
    path("inbox/<int:pk>/merge/", thread.thread_merge, name="thread-merge"),
    path("inbox/emails/<int:pk>/split/", thread.email_split, name="email-split"),
    path("inbox/<int:pk>/presence/", thread.thread_presence, name="thread-presence"),
    path("inbox/emails/<int:pk>/correct/", inbox.correct_label, name="label-correct"),
    path("inbox/emails/<int:pk>/move/", inbox.move_department, name="email-move"),
    path("inbox/emails/<int:pk>/flag/", inbox.flag_email, name="email-flag"),
    path("inbox/emails/<int:pk>/forward/", reply.email_forward, name="email-forward"),
    path("inbox/<int:pk>/forwards/", reply.thread_forwards, name="thread-forwards"),
    path("inbox/emails/<int:pk>/draft/", reply.draft_panel, name="draft-panel"),
    path("inbox/emails/<int:pk>/write/", reply.draft_write, name="draft-write"),
    path("inbox/emails/<int:pk>/redraft/", reply.redraft, name="draft-redraft"),
    path("inbox/drafts/<int:pk>/save/", reply.draft_save, name="draft-save"),
    path("inbox/emails/<int:pk>/redraft/progress/", reply.redraft_progress, name="redraft-progress"),
    path("inbox/drafts/<int:pk>/conflict/", reply.draft_conflict, name="draft-conflict"),
    path("inbox/emails/<int:pk>/draft/resolve/", reply.draft_resolve, name="draft-resolve"),
    path("inbox/drafts/<int:pk>/grounding/", reply.draft_grounding, name="draft-grounding"),
    path("inbox/drafts/<int:pk>/take/<int:earlier>/", reply.draft_take, name="draft-take"),
    path("inbox/drafts/<int:pk>/attach/", reply.draft_attach, name="draft-attach"),
    path("inbox/attachments/<int:pk>/remove/", reply.draft_detach, name="draft-detach"),
    path("inbox/drafts/<int:pk>/rate/", reply.draft_rate, name="draft-rate"),
    path("inbox/drafts/<int:pk>/approve/", reply.draft_approve, name="draft-approve"),
    path("inbox/drafts/<int:pk>/reject/", reply.draft_reject, name="draft-reject"),
    path("inbox/outgoing/<int:pk>/undo/", reply.outgoing_undo, name="outgoing-undo"),
    path("inbox/outgoing/<int:pk>/settle/", reply.outgoing_settle, name="outgoing-settle"),
    path("inbox/emails/<int:pk>/macro/", macro.macro_apply, name="macro-apply"),
    path("knowledge/macros/", macro.macros, name="macros"),
    path("knowledge/macros/add/", macro.macro_add, name="macro-add"),
    path("knowledge/macros/<int:pk>/change/", macro.macro_change, name="macro-change"),
    path("knowledge/macros/<int:pk>/delete/", macro.macro_delete, name="macro-delete"),
    path("knowledge/", knowledge.knowledge, name="knowledge"),
    path("knowledge/figures/", figures.draft_figures, name="draft-figures"),
    path("knowledge/add/", knowledge.document_add, name="document-add"),
    path("knowledge/search/", knowledge.search, name="knowledge-search"),
    path("knowledge/<int:pk>/", knowledge.document, name="knowledge-document"),
    path("knowledge/<int:pk>/row/", knowledge.document_row, name="document-row"),
    path("knowledge/<int:pk>/details/", knowledge.document_details, name="document-details"),
    path("knowledge/<int:pk>/replace/", knowledge.document_replace, name="document-replace"),
    re_path(r"^knowledge/(?P<pk>\d+)/(?P<move>retire|restore|delete)/$", knowledge.document_move, name="document-move"),
]
