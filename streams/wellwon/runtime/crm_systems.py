"""The CRMs that are written to, and those that are read again, connected with their secrets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from wellwon.deliver.crm_facts import HUBSPOT, SALESFORCE, SYSTEMS, writes_of
from wellwon.policy.delivery import Crm
from wellwon.runtime.secrets import secret
from wellwon.runtime.settings import FILE, Settings, SettingsError
from wellwon.sinks.crm import CrmTransport
from wellwon.sinks.guard import check_url
from wellwon.sinks.http import Client
from wellwon.sinks.hubspot import HubSpot
from wellwon.sinks.oauth import Fixed, OAuth
from wellwon.sinks.salesforce import Salesforce

VARIABLE = "WELLWON_CRM_"
"""What the environment variables of the CRMs' secrets begin with."""
BODY_MAX = 2**22
"""Answers about a whole batch are long."""

Read = Callable[[], str]


def connect(settings: Settings, crm: Crm, environment: Mapping[str, str] | None = None) -> dict[str, CrmTransport]:
    """Return each CRM that the policy turns on. Raises SettingsError with everything that is missing or wrong."""
    on = [system for system in SYSTEMS if writes_of(crm, system).write]
    wrong: list[str] = []
    found: dict[str, CrmTransport] = {}
    for system in on:
        try:
            found[system] = open_one(system, settings, environment)
        except SettingsError as error:
            wrong.append(str(error))
    if wrong:
        raise SettingsError("\n".join(wrong))
    return found


def connected(settings: Settings, environment: Mapping[str, str] | None = None) -> dict[str, Salesforce | HubSpot]:
    """Return each CRM of which a secret is set, to read from. Raises SettingsError, also where there is none."""
    source = os.environ if environment is None else environment
    found: dict[str, Salesforce | HubSpot] = {}
    if any(name.startswith(f"{VARIABLE}SALESFORCE_") and source[name].strip() for name in source):
        found[SALESFORCE] = salesforce(settings, environment)
    if any(name.startswith(f"{VARIABLE}HUBSPOT_") and source[name].strip() for name in source):
        found[HUBSPOT] = hubspot(settings, environment)
    if not found:
        raise SettingsError(
            f"no CRM is connected: set {VARIABLE}SALESFORCE_URL, ..._CLIENT_ID and ..._CLIENT_SECRET,"
            f" or {VARIABLE}HUBSPOT_TOKEN (docs/crm.md)"
        )
    return found


def open_one(system: str, settings: Settings, environment: Mapping[str, str] | None = None) -> CrmTransport:
    """Return one CRM, ready. Raises SettingsError."""
    return salesforce(settings, environment) if system == SALESFORCE else hubspot(settings, environment)


def salesforce(settings: Settings, environment: Mapping[str, str] | None = None) -> Salesforce:
    """Salesforce, by the client credentials of a connected app. Raises SettingsError."""
    url, login, client = salesforce_login(settings, environment)
    return Salesforce(url, login, client)


def salesforce_login(settings: Settings, environment: Mapping[str, str] | None = None) -> tuple[str, OAuth, Client]:
    """The organisation's address, its tokens, and the connections that they come by. Raises SettingsError."""
    names = {
        "URL": "the organisation's address (https://<domain>.my.salesforce.com)",
        "CLIENT_ID": "the connected app's consumer key",
        "CLIENT_SECRET": "its consumer secret",
    }
    read = _needed(SALESFORCE, names, environment)
    url = _address(read["URL"](), settings, f"{VARIABLE}SALESFORCE_URL")
    client = Client(private=settings.private_webhooks, timeout=60.0, body_max=BODY_MAX)

    def grant() -> dict[str, str]:
        secrets = {"client_id": read["CLIENT_ID"](), "client_secret": read["CLIENT_SECRET"]()}
        return {"grant_type": "client_credentials", **secrets}

    return url, OAuth(client, f"{url}/services/oauth2/token", grant), client


def hubspot(settings: Settings, environment: Mapping[str, str] | None = None) -> HubSpot:
    """HubSpot, by a private app's token or an app's refresh token. Raises SettingsError."""
    client = Client(private=settings.private_webhooks, timeout=60.0, body_max=BODY_MAX)
    url = _address(settings.hubspot_api, settings, "WELLWON_HUBSPOT_API")
    if (token := secret(f"{VARIABLE}HUBSPOT_TOKEN", environment)) is not None:
        return HubSpot(url, Fixed(token), client)
    names = {
        "REFRESH_TOKEN": f"an app's refresh token (or {VARIABLE}HUBSPOT_TOKEN: a private app's token)",
        "CLIENT_ID": "the app's client id",
        "CLIENT_SECRET": "its client secret",
    }
    if all(secret(f"{VARIABLE}HUBSPOT_{name}", environment) is None for name in names):
        raise SettingsError(
            f"{VARIABLE}HUBSPOT_TOKEN (or {VARIABLE}HUBSPOT_TOKEN{FILE}) is not set: a private app's token;"
            f" or, of an app, {VARIABLE}HUBSPOT_REFRESH_TOKEN, ..._CLIENT_ID and ..._CLIENT_SECRET"
        )
    read = _needed(HUBSPOT, names, environment)

    def grant() -> dict[str, str]:
        return {"grant_type": "refresh_token", **{name.lower(): read[name]() for name in names}}

    return HubSpot(url, OAuth(client, f"{url}/oauth/v1/token", grant), client)


def _needed(system: str, names: Mapping[str, str], environment: Mapping[str, str] | None) -> dict[str, Read]:
    prefix = f"{VARIABLE}{system.upper()}_"
    found = {name: secret(prefix + name, environment) for name in names}
    missing = [
        f"{prefix}{name} (or {prefix}{name}{FILE}) is not set: {what}"
        for name, what in names.items()
        if found[name] is None
    ]
    if missing:
        raise SettingsError("\n".join(missing))
    return {name: read for name, read in found.items() if read is not None}


def pubsub_address(settings: Settings) -> str:
    """Where Salesforce's Pub/Sub API is. Raises SettingsError."""
    return _address(settings.salesforce_pubsub, settings, "WELLWON_SALESFORCE_PUBSUB")


def _address(url: str, settings: Settings, variable: str) -> str:
    try:
        check_url(url, private=settings.private_webhooks)
    except ValueError as error:
        raise SettingsError(f"{variable}: {error}") from None
    return url.rstrip("/")
