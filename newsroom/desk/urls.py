"""The addresses of the desk's own pages. None holds the address of a reader."""

from django.urls import path

from newsroom.desk import reader_acts, reader_page

app_name = "desk"
urlpatterns = [
    path("readers/", reader_page.find, name="readers"),
    path("readers/blocked/<int:pk>/lift/", reader_acts.lift, name="reader_lift"),
    path("readers/<uuid:uuid>/", reader_page.reader, name="reader"),
    path("readers/<uuid:uuid>/evidence/", reader_page.evidence_page, name="reader_evidence"),
    path("readers/<uuid:uuid>/data.json", reader_page.download, name="reader_download"),
    path("readers/<uuid:uuid>/<slug:name>/", reader_acts.act, name="reader_act"),
]
