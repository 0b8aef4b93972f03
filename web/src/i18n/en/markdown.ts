export const markdown = {
  "markdown.code": "Code",
  "markdown.codeIn": "Code in {language}",
  "markdown.copy": "Copy code",
  "markdown.copied": "Copied",
  "markdown.wrap": "Wrap long lines",
  "markdown.table": "Table",
  "markdown.image": "Image: {name}",
  "markdown.done": "Done",
  "markdown.toDo": "To do",
} as const;
