"""The URLs of sign-up, confirmation, preferences and unsubscribing."""

from django.urls import URLPattern, URLResolver, path

from subscribers import (
    address_change_views,
    evidence_views,
    link_views,
    personal_views,
    reduction_views,
    renewal_views,
    views,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("subscribe/", views.subscribe, name="subscribe"),
    path("subscribe/sent/", views.subscribe_sent, name="subscribe_sent"),
    path("confirm/<str:token>/", link_views.confirm, name="confirm"),
    path("preferences/", views.preferences_link, name="preferences_link"),
    path("preferences/sent/", views.preferences_sent, name="preferences_sent"),
    path("preferences/<str:token>/consent.json", personal_views.proof_file, name="personal_proof_file"),
    path("preferences/<str:token>/erase/", personal_views.erase, name="erase"),
    path("preferences/<str:token>/address/", address_change_views.ask, name="ask_change_of_address"),
    path("address/<str:token>/", address_change_views.agree, name="change_of_address"),
    path("keep/<str:token>/", reduction_views.keep, name="keep"),
    path("unsubscribe/<str:token>/", link_views.unsubscribe, name="unsubscribe"),
    path("unsubscribe/<str:token>/again/", link_views.subscribe_again, name="subscribe_again"),
    path("unsubscribe/<str:token>/reason/", link_views.leaving_reason, name="leaving_reason"),
    path("agree/<str:token>/", renewal_views.agree, name="agree"),
    path("evidence-keys.json", evidence_views.keys, name="evidence_keys"),
    path("evidence-keys/<slug:name>.pem", evidence_views.key, name="evidence_key"),
    path("legal/<slug:slug>/", views.legal_document, name="legal"),
    path("legal/<slug:slug>/<int:version>/", views.legal_version, name="legal_version"),
]
