// The API for people. What is shown comes from openapi.json and from answers, and becomes text of the page, never markup.

const root = new URL(".", location.href); // the page is at docs, what it describes beside it
const $ = (selector) => document.querySelector(selector);
const MOST_SHOWN = 200_000;
let token = "";
let api;

function h(tag, traits, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(traits)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child != null));
  return node;
}

/** Text in which `this` is code. */
const prose = (text) => text.split("`").map((part, index) => (index % 2 ? h("code", {}, part) : part));

// --- the token ---------------------------------------------------------------------------------------------------

/** Ask the gateway. Headers carry bytes: a token of any alphabet goes as UTF-8. */
function ask(path, options = {}) {
  const bytes = String.fromCharCode(...new TextEncoder().encode(token));
  const headers = { ...options.headers, Authorization: `Bearer ${bytes}` };
  return fetch(new URL(path.slice(1), root), { ...options, headers, cache: "no-store", credentials: "omit", redirect: "manual" });
}

async function open(given) {
  token = given;
  $("#problem").textContent = "";
  let problem;
  try {
    const answer = await ask("/openapi.json");
    if (answer.ok) return show(await answer.json());
    problem = answer.status === 401 ? "This is not the gateway’s token." : `The gateway answered ${answer.status}.`;
  } catch {
    problem = "The gateway cannot be reached.";
  }
  token = "";
  $("#problem").textContent = problem;
  $("#token").select();
}

$("#door").addEventListener("submit", (event) => {
  event.preventDefault();
  open($("#token").value);
});
$("#lock").addEventListener("click", () => {
  history.replaceState(null, "", location.pathname);
  location.reload();
});

// --- what the description says -----------------------------------------------------------------------------------

const resolve = (schema) => (schema?.$ref ? schema.$ref.slice(2).split("/").reduce((at, name) => at[name], api) : schema ?? {});

/** What a schema says of a value beside its type. */
function noteOn(schema) {
  const kinds = [schema, ...(schema.anyOf ?? [])];
  const { minimum, maximum } = kinds.find((kind) => "minimum" in kind) ?? {};
  const range = minimum === undefined ? "" : `${minimum} to ${maximum === Number.MAX_SAFE_INTEGER ? "2^53-1" : maximum ?? "any"}`;
  return kinds.find((kind) => kind.description)?.description ?? range;
}

/** A schema as people read it. `above`: the names that it is already inside of. */
function outline(schema, indent = "", above = []) {
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    return above.includes(name) ? name : outline(resolve(schema), indent, [...above, name]);
  }
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.map((choice) => outline(choice, indent, above)).join(" | ");
  if (schema.type === "array") return `[${outline(schema.items ?? {}, indent, above)}]`;
  if (!schema.properties) return schema.type ?? "any";
  const lines = Object.entries(schema.properties).map(([name, property]) => {
    const [first, ...rest] = outline(property, `${indent}  `, above).split("\n");
    const note = noteOn(property);
    return [`${indent}  ${name}${schema.required?.includes(name) ? "" : "?"}: ${first}${note && `  // ${note}`}`, ...rest].join("\n");
  });
  return `{\n${lines.join("\n")}\n${indent}}`;
}

const outlined = (schema) =>
  h("pre", {}, outline(schema).split("\n").flatMap((line, index) => {
    const [code, note] = line.split("  // ");
    return [index ? "\n" : "", code, note && h("span", { className: "comment" }, `  // ${note}`)];
  }));

/** A body to begin with. */
function example(schema) {
  const shape = resolve(schema);
  if ("default" in shape) return shape.default;
  if (shape.examples) return shape.examples[0];
  if (shape.anyOf) return example(shape.anyOf[0]);
  if (shape.properties) return Object.fromEntries(Object.entries(shape.properties).map(([name, one]) => [name, example(one)]));
  return { array: [], boolean: false, integer: 0, number: 0, string: "" }[shape.type] ?? null;
}

// --- the page ----------------------------------------------------------------------------------------------------

function show(description) {
  api = description;
  $("#version").textContent = api.info.version;
  const intro = api.info.description.split("\n\n").map((part) => h("p", {}, prose(part)));
  const sections = api.tags.map((tag) => {
    const found = Object.entries(api.paths).flatMap(([path, methods]) =>
      Object.entries(methods).filter(([, operation]) => operation.tags?.includes(tag.name)).map(([method, operation]) => ({ method, path, ...operation })));
    return { tag, found };
  });
  $("main").replaceChildren(...intro, ...sections.map(({ tag, found }) =>
    h("section", {}, h("h2", {}, tag.name), h("p", {}, prose(tag.description)), found.map(card))));
  $("nav").replaceChildren(...sections.flatMap(({ tag, found }) => [h("h3", {}, tag.name), ...found.map((operation) =>
    h("a", { href: `#${operation.operationId}`, title: operation.summary }, badge(operation.method), h("span", {}, operation.summary)))]));
  $("#door").hidden = true;
  $("#token").value = "";
  $("#book").hidden = $("#lock").hidden = false;
  openTarget();
}

const badge = (method) => h("span", { className: `method ${method}` }, method.toUpperCase());

function card(operation) {
  return h("details", { className: "operation", id: operation.operationId },
    h("summary", {}, badge(operation.method), h("span", { className: "path" }, operation.path), h("span", { className: "what" }, operation.summary)),
    h("div", { className: "inside" }, operation.description && h("p", {}, prose(operation.description)), request(operation),
      h("h3", {}, "Answers"), h("div", { className: "answers" }, Object.entries(operation.responses).map(answer))));
}

function answer([status, { description, content = {} }]) {
  const kinds = Object.entries(content).map(([kind, { schema }]) => [h("p", { className: "note" }, kind), outlined(schema)]);
  return h("details", {},
    h("summary", {}, h("b", { className: `s${status[0]}` }, status), description),
    kinds.length ? kinds : h("p", { className: "note" }, "No body."));
}

function request(operation) {
  const fields = (operation.parameters ?? []).map((parameter) => ({ ...parameter, input: entry(parameter.schema, parameter.required) }));
  const schema = operation.requestBody?.content?.["application/json"]?.schema;
  const body = schema && h("textarea", { value: JSON.stringify(example(schema), null, 2), spellcheck: false, ariaLabel: "Body" });
  const command = h("pre", {});
  const result = h("div", { className: "result", ariaLive: "polite" });
  const button = h("button", { type: "submit", className: operation.method === "delete" ? "danger" : "" }, "Send");
  const form = h("form", {},
    fields.length ? h("h3", {}, "Parameters") : null,
    fields.map(({ name, input, required, schema: kind }) =>
      h("label", { className: "field" }, h("span", {}, h("code", {}, name), required ? h("b", { title: "required" }, " *") : null), input,
        noteOn(kind) ? h("span", { className: "note" }, prose(noteOn(kind))) : null)),
    schema && [h("h3", {}, "Body"), body, h("details", {}, h("summary", { className: "note" }, "What it may hold"), outlined(schema))],
    h("h3", {}, "Request"), command, h("div", { className: "send" }, button), result);

  const path = () => {
    const filled = fields.filter(({ input }) => input.value !== "");
    const ofPath = (at, { name, input }) => at.replace(`{${name}}`, encodeURIComponent(input.value));
    const query = new URLSearchParams(filled.filter((field) => field.in === "query").map(({ name, input }) => [name, input.value]));
    const plain = filled.filter((field) => field.in === "path").reduce(ofPath, operation.path);
    return query.size ? `${plain}?${query}` : plain;
  };
  const tell = () => { command.textContent = curl(operation, path(), body?.value); };
  form.addEventListener("input", tell);
  tell();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    const options = { method: operation.method.toUpperCase(), ...(body && { body: body.value, headers: { "Content-Type": "application/json" } }) };
    result.replaceChildren(...(await send(path(), options)));
    button.disabled = false;
  });
  return form;
}

function entry(schema, required) {
  const kinds = (schema.anyOf ?? [schema]).map(resolve);
  const values = kinds.find((kind) => kind.enum)?.enum ?? (kinds.some((kind) => kind.type === "boolean") ? ["true", "false"] : null);
  const unset = schema.default == null ? "" : String(schema.default);
  if (values) return h("select", {}, h("option", { value: "" }, unset ? `${unset} (default)` : ""), values.map((value) => h("option", { value }, value)));
  const isNumber = kinds.some((kind) => kind.type === "integer" || kind.type === "number");
  return h("input", { required: Boolean(required), placeholder: unset, autocomplete: "off", inputMode: isNumber ? "numeric" : "text", spellcheck: false });
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curl({ method, security }, path, body) {
  return [
    `curl -X ${method.toUpperCase()} ${quoted(String(new URL(path.slice(1), root)))}`,
    security?.length && '-H "Authorization: Bearer $TOKEN"',
    body !== undefined && "-H 'Content-Type: application/json'",
    body !== undefined && `-d ${quoted(body)}`,
  ].filter(Boolean).join(" \\\n  ");
}

async function send(path, options) {
  const begun = performance.now();
  try {
    const response = await ask(path, options);
    const text = await response.text();
    const took = Math.round(performance.now() - begun);
    const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    const isJson = response.headers.get("Content-Type")?.includes("json");
    return [
      h("p", {}, h("b", { className: `s${String(response.status)[0]}` }, `${response.status} ${response.statusText}`), h("span", { className: "note" }, ` in ${took} ms, ${text.length} characters`)),
      h("details", { className: "headers" }, h("summary", { className: "note" }, "Headers"), h("pre", {}, headers)),
      text ? h("pre", {}, isJson ? coloured(indented(text)) : text.slice(0, MOST_SHOWN)) : null,
      text.length > MOST_SHOWN ? h("p", { className: "note" }, `Only the first ${MOST_SHOWN} characters are shown.`) : null,
    ].filter(Boolean);
  } catch (error) {
    return [h("p", {}, h("b", { className: "s0" }, "No answer. "), String(error.message))];
  }
}

function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** JSON with its parts in colours. */
function coloured(text) {
  const parts = text.slice(0, MOST_SHOWN).split(/("(?:\\.|[^"\\])*"(?::)?|\btrue\b|\bfalse\b|\bnull\b|-?\d[\d.eE+-]*)/);
  const kind = (part) => (part.endsWith(":") ? "key" : part.startsWith('"') ? "string" : /^[tfn]/.test(part) ? "word" : "number");
  return parts.map((part, index) => (index % 2 ? h("span", { className: kind(part) }, part) : part));
}

function openTarget() {
  const target = document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    target.scrollIntoView();
  }
}
window.addEventListener("hashchange", openTarget);

const given = /^#token=(.+)/s.exec(location.hash)?.[1];
if (given) {
  history.replaceState(null, "", location.pathname); // it stays neither in the address bar nor in the history
  open(decodeURIComponent(given.replace(/%(?![0-9a-f]{2})/gi, "%25")));
}
