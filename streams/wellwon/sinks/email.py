"""E-mail over SMTP: ``smtp://user:password@host:587`` (STARTTLS), ``smtps://...:465``, ``smtp://host?starttls=no``."""

from __future__ import annotations

import asyncio
import hashlib
import smtplib
import ssl
from email.message import EmailMessage
from urllib.parse import parse_qs, unquote, urlsplit

from wellwon.sinks import email_text
from wellwon.sinks.http import Secret
from wellwon.sinks.layout import layout
from wellwon.sinks.transport import CREDENTIALS_S, Delivered, Later, Outcome, Parcel, Refused

TIMEOUT_S = 20.0


class Email:
    """One mail server. A message is one connection, in a thread."""

    pace_s = 0.0
    parallel = 2

    def __init__(self, url: Secret, *, sender: str, page: str = "") -> None:
        self._url, self._sender, self._page = url, sender, page

    async def send(self, parcel: Parcel) -> Outcome:
        """Send a mail."""
        id_ = hashlib.blake2b(parcel.id.encode(), digest_size=16).hexdigest()
        parts = layout(parcel.card, zone=parcel.zone, page=self._page)
        mail = email_text.message(parts, sender=self._sender, to=parcel.to, id_=id_)
        return await asyncio.to_thread(_send, self._url(), mail)

    async def close(self) -> None:
        """Nothing is held."""


def _send(url: str, mail: EmailMessage) -> Outcome:
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    safe = parse_qs(parts.query).get("starttls") != ["no"]
    handed_over = False
    try:
        with _connect(parts.scheme, host, parts.port) as server:
            server.ehlo_or_helo_if_needed()
            if parts.scheme == "smtp" and safe:
                server.starttls(context=ssl.create_default_context())
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            handed_over = True
            server.send_message(mail)
    except smtplib.SMTPAuthenticationError as error:
        return Later(f"the mail server refuses the login ({error.smtp_code})", CREDENTIALS_S)
    except smtplib.SMTPSenderRefused as error:
        seconds = CREDENTIALS_S if error.smtp_code >= 500 else 0.0
        return Later(f"the mail server refuses the sender, or wants a login ({error.smtp_code})", seconds)
    except smtplib.SMTPRecipientsRefused as error:
        code = max((code for code, _ in error.recipients.values()), default=550)
        return Refused(f"the recipient is refused ({code})") if code >= 500 else Later(f"not now ({code})")
    except smtplib.SMTPResponseException as error:
        said = f"the mail server says {error.smtp_code}"
        if 500 <= error.smtp_code < 600:  # before the mail was handed over nothing is its own fault
            return Refused(said) if handed_over else Later(said, CREDENTIALS_S)
        return Later(said)
    except smtplib.SMTPNotSupportedError:
        return Later("the mail server has no STARTTLS (to go without: ?starttls=no)", CREDENTIALS_S)
    except (smtplib.SMTPException, OSError, ValueError) as error:
        return Later(f"broken off: {type(error).__name__}", unsure=handed_over)
    return Delivered()


def _connect(scheme: str, host: str, port: int | None) -> smtplib.SMTP:
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port or 465, timeout=TIMEOUT_S, context=ssl.create_default_context())
    return smtplib.SMTP(host, port or 587, timeout=TIMEOUT_S)
