"""The data administration: enrolment, issuance, lifecycle, anchoring and the OpenID4VCI face."""
