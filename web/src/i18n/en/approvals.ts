export const approvals = {
  "approval.allow_once": "Allow once",
  "approval.allow_always": "Always allow exactly this",
  "approval.deny": "Deny",
  "approval.expired": "Nobody answered in time",
  "approval.cancelled": "Not needed any more",
  "approval.waiting": { one: "One thing waits for your answer", other: "{count} things wait for your answer" },
} as const;
