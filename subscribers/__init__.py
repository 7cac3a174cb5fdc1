"""Readers: sign-up, consent, preferences, suppression, privacy.

signup            request, confirm and unsubscribe a subscription; preferences: what readers change later
consent           the consent record, a hash chain (consent_heads, evidence, verification, withdrawals)
cadences          what a cadence is; schedules: when its digests run; cadence_options: what a form offers
letters/          mails to one person: queue, render, send
suppression       addresses that must not be mailed
imports           brings readers in from other systems (import_*)
erasure, privacy  the right to erasure, and the IP addresses of readers
links, terms, throttle   links in mails, the consent sentence of a form, limits on requests
"""
