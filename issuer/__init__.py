"""The data administration: enrolment, issuance, lifecycle, anchoring and the OpenID4VCI face.

The public surface is `issuer.service.Issuer` (everything an issuer does), `issuer.records.Records`
(what can be listed without the passphrase), `issuer.api.build_api`, `issuer.server.serve`, and
`issuer.errors`. It is not re-exported here: the authority's process imports this package, too, and
needs none of it.
"""
