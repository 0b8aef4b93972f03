/**
 * Which field a sentence of the gateway is about, for those that do not begin with the field's name. The first that fits
 * counts; what none fits stands below the whole form.
 */

export const TASK_HINTS = [
  ["prompt", /^A prompt/],
  ["title", /^A title/],
  ["agent", /no agent/],
  ["provider", /provider or model/],
] as const;

/** What is wrong with a schedule can be said in many ways: last, for all the others are about something else. */
export const CRON_HINTS = [
  ["title", /^A title/],
  ["prompt", /^A prompt/],
  ["agent", /no agent/],
  ["provider", /provider|model/],
  ["timezone", /time zone/],
  ["quietFrom", /^Quiet hours/],
  ["place", /chat_id|channel/],
  ["schedule", /schedule|^The (?:minute|hour|day|month) |never comes/],
] as const;

export const WEBHOOK_HINTS = [
  ["title", /^The title/],
  ["template", /^The template/],
  ["agent", /no agent/],
  ["place", /[Cc]hats?\b/],
  ["provider", /provider or model/],
  ["secret", /^A secret/],
] as const;
