"""C2SP's services for anybody's logs: witness and mirror, server and client."""
