"""Three mail servers, in clear, with STARTTLS, and with TLS and only AUTH LOGIN, which print what they get as Python reads it.

The first line that is printed has the ports, and the certificate of the authority behind the servers' own, which
is for `localhost` and nothing else. Everything ends with the standard input.
"""

import asyncio
import email
import email.policy
import json
import logging
import ssl
import sys
import warnings

import trustme
from aiosmtpd.smtp import SMTP, AuthResult


class Reader:
    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = list(message.walk())
        bodies = [message.get_body((kind,)) for kind in ("plain", "html")]
        print(json.dumps({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "is_encrypted": session.ssl is not None or server.transport.get_extra_info("sslcontext") is not None,
            "login": session.auth_data,
            "names": list(message.keys()),
            "headers": {name: str(value) for name, value in message.items()},
            "addresses": [[one.display_name, one.addr_spec] for one in message["To"].addresses],
            "types": [part.get_content_type() for part in parts],
            "encodings": [part["Content-Transfer-Encoding"] for part in parts if not part.is_multipart()],
            "defects": [str(defect) for part in parts for defect in part.defects]
            + [str(defect) for value in message.values() for defect in value.defects],
            "bodies": [body and body.get_content().replace("\r\n", "\n") for body in bodies],
        }), flush=True)
        return "250 2.0.0 Ok: queued as REAL1"


def log_in(server, session, envelope, mechanism, data):
    is_known = (data.login, data.password) == (b"shop", "s3cr3t é".encode())
    return AuthResult(success=is_known, handled=False, auth_data="shop" if is_known else None)


async def main():
    # What clients do wrong on purpose, and what we know of our own options.
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    secured = {"authenticator": log_in, "auth_required": True}
    loop = asyncio.get_running_loop()

    async def listen(tls=None, **options):
        server = await loop.create_server(lambda: SMTP(Reader(), hostname="mail.example", **options), "127.0.0.1", ssl=tls)
        return server.sockets[0].getsockname()[1]

    ports = {
        "clear": await listen(),
        "starttls": await listen(tls_context=context, require_starttls=True, **secured),
        "implicit": await listen(tls=context, auth_require_tls=False, auth_exclude_mechanism=["PLAIN"], **secured),
    }
    print(json.dumps({"ports": ports, "ca": authority.cert_pem.bytes().decode()}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
