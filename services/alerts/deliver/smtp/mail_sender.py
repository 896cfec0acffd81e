"""Hands one e-mail to a mail server and returns its answer as a status; a failure is a result too.

The name of the server is resolved here and every address judged by the guard, as for HTTP; the connection goes to a
judged address, so a name that changes gains nothing. `smtp://` uses STARTTLS and refuses to go on without, except to
this machine where the operator allows it; `smtps://` is encrypted from the start. Certificates are checked. The client
is aiosmtplib.
"""

import asyncio
import socket
import ssl
from ipaddress import ip_address

import aiosmtplib

from services.alerts.deliver.http.sender import TOTAL_S, SendResult
from services.alerts.deliver.http.target_guard import ForbiddenTargetError, TargetGuard
from services.alerts.deliver.notifiers.notifier import OutboundMail
from services.alerts.deliver.retry import AttemptFailure, ReceiverAnswer
from services.runtime.clock import Clock


class MailSender:
    """Hands e-mails to any mail server that the guard allows."""

    def __init__(self, guard: TargetGuard, clock: Clock, *, tls: ssl.SSLContext | None = None) -> None:
        """`tls` defaults to the certificates that this machine trusts."""
        self._guard = guard
        self._clock = clock
        self._tls = tls or ssl.create_default_context()

    async def send(self, mail: OutboundMail, *, within_s: float | None = None) -> SendResult:
        """Hand over the e-mail and return the server's last answer."""
        started = self._clock.monotonic()
        answer, words = ReceiverAnswer(failure=AttemptFailure.TIMEOUT), ""
        refusal: str | None = None
        try:
            async with asyncio.timeout(TOTAL_S if within_s is None else within_s):
                code, words = await self._hand_over(mail)
                answer = ReceiverAnswer(status=code)
        except ForbiddenTargetError as error:
            answer, refusal = ReceiverAnswer(failure=AttemptFailure.FORBIDDEN_TARGET), error.refusal
        except aiosmtplib.SMTPRecipientsRefused as error:  # all of them: their first answer stands for all
            first = error.recipients[0]
            answer, words = ReceiverAnswer(status=first.code), first.message
        except aiosmtplib.SMTPResponseException as error:
            answer, words = ReceiverAnswer(status=error.code), error.message
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            answer = ReceiverAnswer(failure=_failure(error))
        seconds = self._clock.monotonic() - started
        return SendResult(answer=answer, seconds=seconds, body=words.encode("utf-8", "replace"), refusal=refusal)

    async def _hand_over(self, mail: OutboundMail) -> tuple[int, str]:
        host, port = self._guard.check_mail_server(mail.url)
        connected = await self._connect(host, port)
        encrypted = mail.url.startswith("smtps:")
        here = ip_address(connected.getpeername()[0]).is_loopback
        client = aiosmtplib.SMTP(
            hostname=host,
            sock=connected,
            use_tls=encrypted,
            start_tls=False if encrypted else None if here else True,
            tls_context=self._tls,
            timeout=TOTAL_S,
        )
        async with client:
            if mail.username:
                await client.login(mail.username, mail.password)
            refused, words = await client.sendmail(mail.sender, list(mail.recipients), mail.data)
        if refused:
            return 250, f"refused for {len(refused)} of {len(mail.recipients)} recipients: {words}"
        return 250, words

    async def _connect(self, host: str, port: int) -> socket.socket:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        self._guard.check_addresses([str(entry[4][0]) for entry in found])
        problem: OSError = OSError("no address")
        for family, kind, protocol, name, address in found:
            dialled = self._guard.dial((family, kind, protocol, name, address))
            dialled.setblocking(False)
            try:
                await loop.sock_connect(dialled, address)
            except OSError as error:
                problem = error
                dialled.close()
            else:
                return dialled
        raise problem


_FAILURES: tuple[tuple[type[BaseException], AttemptFailure], ...] = (
    (TimeoutError, AttemptFailure.TIMEOUT),
    (aiosmtplib.SMTPTimeoutError, AttemptFailure.TIMEOUT),
    (socket.gaierror, AttemptFailure.DNS),
    (ssl.SSLError, AttemptFailure.TLS),
    (aiosmtplib.SMTPNotSupported, AttemptFailure.TLS),
    (aiosmtplib.SMTPConnectError, AttemptFailure.CONNECT),
    (aiosmtplib.SMTPServerDisconnected, AttemptFailure.PROTOCOL),
    (OSError, AttemptFailure.CONNECT),
)


def _failure(error: BaseException) -> AttemptFailure:
    """Return the failure behind an error; the cause counts, because the client wraps it."""
    for one in (error, error.__cause__):
        for kind, failure in _FAILURES:
            if one is not None and isinstance(one, kind):
                return failure
    return AttemptFailure.PROTOCOL
