"""The addresses of the desk's own pages. None holds the address of a reader."""

from django.urls import path

from newsroom.desk import (
    agreements,
    calendar_page,
    front_page,
    health_page,
    identity_page,
    import_page,
    newsletter_page,
    order_page,
    reader_acts,
    reader_page,
    segment_page,
    signup_code,
)

app_name = "desk"
urlpatterns = [
    path("calendar/", calendar_page.show_calendar, name="calendar"),
    path("calendar/<int:pk>/move/", calendar_page.move, name="calendar_move"),
    path("calendar/issues/<int:pk>/move/", calendar_page.move_issue, name="calendar_move_issue"),
    path("front-page/", front_page.front_page, name="front_page"),
    path("order/<slug:rows>/", order_page.order, name="order"),
    path("identity/frame/", identity_page.frame, name="identity_frame"),
    path("identity/preview/", identity_page.preview, name="identity_preview"),
    path("identity/sheet.css", identity_page.sheet, name="identity_sheet"),
    path("newsletters/", newsletter_page.newsletters, name="newsletters"),
    path("newsletters/<int:pk>/", newsletter_page.newsletter, name="newsletter"),
    path("newsletters/<int:pk>/elsewhere/<slug:kind>/", signup_code.elsewhere, name="newsletter_elsewhere"),
    path("newsletters/<int:pk>/demand/<slug:document>/", agreements.demand, name="demand"),
    path("newsletters/<int:pk>/ask/<slug:document>/", agreements.ask, name="ask_to_agree"),
    path("agreements/", agreements.agreements, name="agreements"),
    path("system/health/", health_page.system_health, name="health"),
    path("readers/", reader_page.find, name="readers"),
    path("readers/import/", import_page.begin, name="imports"),
    path("readers/import/<int:pk>/", import_page.job, name="import"),
    path("readers/import/<int:pk>/refused.csv", import_page.refused, name="import_refused"),
    path("readers/export/", import_page.export, name="export"),
    path("readers/segments/", segment_page.all_segments, name="segments"),
    path("readers/segments/of/<int:newsletter>/new/", segment_page.new, name="segment_new"),
    path("readers/segments/<int:pk>/", segment_page.segment, name="segment"),
    path("readers/segments/<int:pk>/readers/", segment_page.readers, name="segment_readers"),
    path("readers/segments/<int:pk>/letter/", segment_page.letter, name="segment_letter"),
    path("readers/segments/<int:pk>/delete/", segment_page.delete, name="segment_delete"),
    path("readers/blocked/<int:pk>/lift/", reader_acts.lift, name="reader_lift"),
    path("readers/<uuid:uuid>/", reader_page.reader, name="reader"),
    path("readers/<uuid:uuid>/evidence/", reader_page.evidence_page, name="reader_evidence"),
    path("readers/<uuid:uuid>/evidence.json", reader_page.evidence_file, name="reader_evidence_file"),
    path("readers/<uuid:uuid>/data.json", reader_page.download, name="reader_download"),
    path("readers/<uuid:uuid>/<slug:name>/", reader_acts.act, name="reader_act"),
]
