"""Four web stacks under one small application: an encrypted stream over a WebSocket, with HTTP beside it."""
