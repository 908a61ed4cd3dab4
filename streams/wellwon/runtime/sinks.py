"""The policy's sinks, connected with their secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wellwon.policy.delivery import EMAIL, SLACK, SLACK_WEBHOOK, TEAMS, WEBHOOK, Delivery, Sink
from wellwon.runtime.secrets import secret
from wellwon.runtime.settings import FILE, Settings, SettingsError
from wellwon.sinks.email import Email
from wellwon.sinks.guard import check_url
from wellwon.sinks.http import Client
from wellwon.sinks.slack import Slack, SlackWebhook
from wellwon.sinks.teams import Teams
from wellwon.sinks.transport import Transport
from wellwon.sinks.webhook import Webhook
from wellwon.sinks.webhook_body import BadSecret, key_of

NEEDED = {
    SLACK: "a bot token (xoxb-...)",
    SLACK_WEBHOOK: "the address of the incoming webhook",
    TEAMS: "the address of the workflow",
    WEBHOOK: "the receiver's address",
    EMAIL: "the mail server: smtp://user:password@host:587",
}
SIGNING = "_SECRET"
"""What the variable of a webhook's signing secret ends with."""


def connect(
    settings: Settings, delivery: Delivery, environment: Mapping[str, str] | None = None
) -> dict[str, Transport]:
    """Return each sink of the policy, ready to send. Raises SettingsError with everything that is missing or wrong."""
    wrong: list[str] = []
    found: dict[str, Transport] = {}
    for sink in delivery.sinks:
        read = secret(sink.variable, environment)
        signing = secret(sink.variable + SIGNING, environment) if sink.kind == WEBHOOK else None
        missing = [(sink.variable, NEEDED[sink.kind])] if read is None else []
        if sink.kind == WEBHOOK and signing is None:
            missing.append((sink.variable + SIGNING, "the signing secret (whsec_...)"))
        wrong += [f"{name} (or {name}{FILE}) is not set: {what}, for sink '{sink.name}'" for name, what in missing]
        if read is not None and not missing:
            try:
                found[sink.name] = _transport(settings, sink, read, signing)
            except (ValueError, OSError) as error:
                wrong.append(f"{sink.variable}, for sink '{sink.name}': {error}")
    if wrong:
        raise SettingsError("\n".join(wrong))
    return found


def _transport(settings: Settings, sink: Sink, read: Callable[[], str], signing: Callable[[], str] | None) -> Transport:
    page, private = settings.page, settings.private_webhooks
    if sink.kind == SLACK:
        read()
        buttons = bool(settings.slack_signing_secret)
        return Slack(read, Client(private=True), page=page, api=settings.slack_api, buttons=buttons)
    if sink.kind == EMAIL:
        if not read().startswith(("smtp://", "smtps://")):
            raise ValueError("an address such as smtp://user:password@host:587 is needed")
        return Email(read, sender=sink.sender, page=page)
    check_url(read(), private=private)
    client = Client(private=private)
    if sink.kind == WEBHOOK:
        assert signing is not None
        try:
            for one in signing().split():
                key_of(one)
        except BadSecret as error:
            raise ValueError(f"{SIGNING}: {error}") from None
        return Webhook(read, signing, client)
    return SlackWebhook(read, client, page=page) if sink.kind == SLACK_WEBHOOK else Teams(read, client, page=page)
