"""What the service answers when it cannot do as asked: RFC 9457 problems, each with a page."""
