"""The issuer's HTTP face: OpenID4VCI 1.0 (pre-authorized code flow) and what stands around it.

Paths hang under the credential issuer identifier (the issuer's public URL):

- ``POST /applications`` takes one compact JWS (media type ``application/zl-application+jwt``):
  header ``{"alg": "ES256", "typ": "zl-application+jwt", "jwk": <fresh P-256 public key>}``,
  payload ``{"aud": <public URL>, "iat": <seconds>, "jti": <unique text>, "application": {"name",
  "citizenNumber", "sex", "birthDate", "ethnicity", "division"}}``.
  Answers 201 (decided) or 202 (the authority is being asked):
  ``{"application": <id>, "state": "offered" | "waiting" | "refused", "reason": <code, if refused>,
  "offer": <openid-credential-offer:// text, if offered>,
  "expires": <dateTime, if offered>, "retry_after": <seconds, if waiting>}``.
- ``GET /applications/<id>`` answers 200 with the same object. The id is a 128-bit secret of the
  applicant; the offer it shows is worthless without the transaction code.
- ``POST /token`` (form): ``grant_type``, ``pre-authorized_code``, ``tx_code`` →
  ``{"access_token", "token_type": "Bearer", "expires_in"}``.
- ``POST /nonce`` → ``{"c_nonce"}``.
- ``POST /credential`` (Bearer): ``{"credential_configuration_id", "proofs": {"jwt": [<one>]}}`` →
  ``{"credentials": [{"credential": {…}}]}``.
- ``GET /status/<n>``, ``GET /did.json``, ``GET /health``.
- ``GET /.well-known/openid-credential-issuer`` and ``/.well-known/oauth-authorization-server``,
  with the issuer's path, if it has one, *after* the well-known part (OpenID4VCI §12.2.2,
  RFC 8414 §3.1).

Errors are ``{"error", "error_description"}`` with the codes of OpenID4VCI §6.3 and §8.3.1 (RFC 6749
§5.2, RFC 6750 §3); ``/applications`` answers ``{"error": "invalid_application" |
"application_replayed" | "temporarily_unavailable", "code": <ZL code>, "field", "rule"}``.
No answer holds a personal value that the caller did not prove to own.
"""
