export const core = {
  "app.name": "Sygen",

  "connection.connecting": "Connecting…",
  "connection.reconnecting": "Connecting again…",
  "connection.retryIn": { one: "The next try is in {count} second.", other: "The next try is in {count} seconds." },
  "connection.retryNow": "Try now",

  "offline.no_network": "This device has no network. What you write is sent when it is back.",
  "offline.unreachable":
    "The gateway does not answer. Is it running, and does it allow pages from this address? It is tried again by itself.",
  "offline.line_lost": "The connection was lost. It comes back by itself, and nothing that you wrote is lost.",
  "offline.gateway_restarting": "The gateway is restarting.",
  "offline.gateway_busy": "The gateway cannot take this connection now. It is tried again in a moment.",
  "offline.gateway_failed": "The gateway had a problem and closed the connection. It is tried again.",
  "offline.protocol_trouble":
    "What came over the connection was not from this gateway, or was changed on its way. It was closed, and is tried again.",
  "offline.no_answer": "Somebody answers at this address, but not in time. It is tried again.",

  "refused.wrong_token":
    "The gateway does not accept this token, or it is another one than the link was made for. Open the link that it prints now.",
  "refused.wrong_server":
    "Who answers at this address is not the gateway you know: it cannot prove its identity. Nothing was sent to it. If you set the gateway up anew, open its new link.",
  "refused.insecure_page":
    "This page came over TLS, and browsers do not let it talk to a gateway without. Open the gateway’s own address instead, or give it a certificate.",
  "refused.bad_address": "This is not an address of a gateway.",
  "refused.session_deleted": "This chat was deleted.",

  "error.bad_link": "This is not a link to a gateway. It begins with http:// or https:// and has a token after the #.",
  "error.bad_request":
    "The gateway did not understand what this page asked. Reload the page; it may be an old version.",
  "error.busy": "Too many messages wait in this chat already. It is sent when there is room.",
  "error.cancelled": "Cancelled.",
  "error.conflict": "This cannot be done now: somebody else was faster, or it is done already.",
  "error.connection_lost": "The connection was lost before the answer came. It may be done all the same.",
  "error.credentials_lost": "The token of this gateway can no longer be read in this browser. Open its link again.",
  "error.decrypt_failed": "The gateway could not decrypt what was sent. Reload the page.",
  "error.empty": "There is nothing in this message.",
  "error.forbidden": "The gateway does not allow this.",
  "error.internal_error": "The gateway had a problem with this. Its log says more.",
  "error.invalid": "The gateway does not accept this value.",
  "error.invalid_answer":
    "This page does not understand the gateway’s answer. Reload it; the two may be of different versions.",
  "error.no_handler": "This gateway has nobody to take messages.",
  "error.not_found": "This is not there any more.",
  "error.not_private":
    "Files would travel readable for others to this address. Use the gateway over TLS, or over a private network such as Tailscale.",
  "error.provider_unavailable": "The agent cannot answer now.",
  "error.range_not_satisfiable": "The file has changed meanwhile. Open it again.",
  "error.rate_limited": "That was too much at once. Try again in a moment.",
  "error.session_deleted": "This chat was deleted.",
  "error.storage_failed":
    "This browser does not keep data for this page. What you write is lost if you close it before it is sent.",
  "error.storage_full":
    "This browser’s storage is full. What you write is lost if you close the page before it is sent; free some space.",
  "error.timed_out": "There was no answer in time. Try again.",
  "error.too_large": "This is larger than the gateway takes.",
  "error.too_late": "This has been answered already, or is not needed any more.",
  "error.transcription_failed": "The recording could not be turned into text.",
  "error.unauthorized": "The gateway does not accept this token. Open its link again.",
  "error.unavailable": "The gateway cannot store this now. Try again in a moment.",
  "error.unknown_type": "The gateway is too old for this. Update it.",
  "error.unsupported_media": "The gateway does not take this kind of file.",

  "turn.queued": "Waiting for its turn",
  "turn.running": "Working",
  "turn.done": "Done",
  "turn.failed": "No answer",
  "turn.aborted": "Stopped",
  "turn.interrupted": "Interrupted",
  "reason.abort": "You stopped this.",
  "reason.interrupted": "The gateway stopped in the middle of this answer.",
  "reason.shutdown": "The gateway was shut down.",
  "reason.timeout": "This took longer than the gateway allows.",
  "reason.answer_too_large": "This answer grew larger than the gateway allows.",
  "reason.other": "This was stopped.",

  "outgoing.waiting": "Not sent yet",
  "outgoing.sending": "Sending…",
  "outgoing.failed": "Not sent",
  "outgoing.notKept": "Not sent yet, and not kept by this browser",
} as const;
