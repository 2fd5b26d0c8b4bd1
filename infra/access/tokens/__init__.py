"""Session tokens: JSON Web Tokens that an issuer has signed, and whose keys it publishes."""

from infra.access.tokens.authenticator import TokenAuthenticator
from infra.access.tokens.issuers import TokenIssuer, clerk, openid_connect, token_authenticators

__all__ = ["TokenAuthenticator", "TokenIssuer", "clerk", "openid_connect", "token_authenticators"]
