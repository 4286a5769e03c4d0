"""Internal tokens, as the gateway signs them: services/kit/src/auth.rs. These live longer."""

import base64
import hashlib
import hmac
import json
import secrets
import time

LIFETIME_SECONDS = 24 * 60 * 60
# Of tokens, and of whatever else a service wants a secret for.
SECRET = secrets.token_hex(32)


def authorization(audience, role):
    """The value of the `Authorization` header for the service of this name."""
    claims = {
        "iss": "api-gateway", "aud": audience, "exp": int(time.time()) + LIFETIME_SECONDS,
        "sub": role, "role": role,
    }
    signed = f"{encoded({'alg': 'HS256', 'typ': 'JWT'})}.{encoded(claims)}"
    signature = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest()
    return f"Bearer {signed}.{base64url(signature)}"


def encoded(value):
    return base64url(json.dumps(value, separators=(",", ":")).encode())


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
