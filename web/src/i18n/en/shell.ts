export const shell = {
  "shell.close": "Close",
  "shell.loading": "Loading…",
  "shell.notLoaded":
    "This part of the page could not be loaded. The gateway may be away, or have a newer page by now. What you typed is kept.",
  "shell.failed": "Something went wrong on this page.",
  "shell.failedHint": "It is a mistake of the page itself. What you typed is kept; reloading helps, mostly.",
  "shell.reload": "Reload the page",
  "shell.skip": "Skip to the conversation",
  "shell.openSidebar": "Show the chats",
  "shell.closeSidebar": "Hide the chats",
  "shell.palette": "Commands",
  "shell.notFound": "There is no such page.",
  "shell.toChats": "To the chats",
  "shell.undo": "Undo",
  "shell.dismiss": "Dismiss",
  "shell.announcements": "Announcements",
} as const;
