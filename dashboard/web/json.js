// JSON as it was written: integers keep all of their 64 bits, which a
// JavaScript number does not.

/**
 * @typedef {{type: "object", members: {name: string, value: Node}[]}} ObjectNode
 * @typedef {{type: "array", items: Node[]}} ArrayNode
 * @typedef {{type: "string", value: string}} StringNode
 * @typedef {{type: "number" | "word", text: string}} PlainNode
 * @typedef {ObjectNode | ArrayNode | StringNode | PlainNode} Node
 */

/** Reads JSON. Throws SyntaxError with what is wrong and where. @param {string} text @returns {Node} */
export function read(text) {
  const r = { text, at: 0 };
  const node = value(r, 0);
  space(r);
  if (r.at < text.length) throw fault(r, "text after the value");
  return node;
}

/** @typedef {{text: string, at: number}} Reader */

const maxDepth = 200;

/** @param {Reader} r @param {string} what */
function fault(r, what) {
  const lines = r.text.slice(0, r.at).split("\n");
  return new SyntaxError(`${what} at line ${lines.length}, column ${(lines.at(-1) ?? "").length + 1}`);
}

/** @param {Reader} r */
function space(r) {
  while (r.at < r.text.length && " \n\r\t".includes(r.text[r.at])) r.at++;
}

/** @param {Reader} r @param {number} depth @returns {Node} */
function value(r, depth) {
  space(r);
  if (depth > maxDepth) throw fault(r, "nested too deeply");
  const c = r.text[r.at];
  if (c === "{") return object(r, depth);
  if (c === "[") return array(r, depth);
  if (c === '"') return { type: "string", value: string(r) };
  const plain = /^(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/.exec(r.text.slice(r.at, r.at + 400))?.[0];
  if (!plain) throw fault(r, c === undefined ? "the text ends too soon" : `unexpected ${JSON.stringify(c)}`);
  r.at += plain.length;
  return { type: /[a-z]/.test(plain[0]) ? "word" : "number", text: plain };
}

/** @param {Reader} r */
function string(r) {
  const start = r.at++;
  while (r.at < r.text.length && r.text[r.at] !== '"') r.at += r.text[r.at] === "\\" ? 2 : 1;
  r.at++;
  try {
    return /** @type {string} */ (JSON.parse(r.text.slice(start, r.at)));
  } catch {
    r.at = start;
    throw fault(r, "a string that does not end, or has a bad escape,");
  }
}

/** @param {Reader} r @param {number} depth @returns {ObjectNode} */
function object(r, depth) {
  /** @type {ObjectNode} */
  const node = { type: "object", members: [] };
  r.at++;
  space(r);
  if (r.text[r.at] === "}") { r.at++; return node; }
  for (;;) {
    space(r);
    if (r.text[r.at] !== '"') throw fault(r, "a member's name in quotes is missing");
    const name = string(r);
    space(r);
    if (r.text[r.at] !== ":") throw fault(r, "a colon is missing");
    r.at++;
    node.members.push({ name, value: value(r, depth + 1) });
    space(r);
    if (r.text[r.at] === "}") { r.at++; return node; }
    if (r.text[r.at] !== ",") throw fault(r, "a comma or } is missing");
    r.at++;
  }
}

/** @param {Reader} r @param {number} depth @returns {ArrayNode} */
function array(r, depth) {
  /** @type {ArrayNode} */
  const node = { type: "array", items: [] };
  r.at++;
  space(r);
  if (r.text[r.at] === "]") { r.at++; return node; }
  for (;;) {
    node.items.push(value(r, depth + 1));
    space(r);
    if (r.text[r.at] === "]") { r.at++; return node; }
    if (r.text[r.at] !== ",") throw fault(r, "a comma or ] is missing");
    r.at++;
  }
}

/** What a member of an object is, undefined if it has none. @param {Node} node @param {string} name */
export const member = (node, name) => (node.type === "object" ? node.members.find((m) => m.name === name)?.value : undefined);

/** Whether it is null. @param {Node | undefined} node */
export const isNull = (node) => !node || (node.type === "word" && node.text === "null");

/** Short values stay on one line. */
const lineWidth = 88;

/** Writes JSON, indented by two, or on one line. @param {Node} node @param {{indent?: string, flat?: boolean}} [how] @returns {string} */
export function write(node, { indent = "", flat = false } = {}) {
  switch (node.type) {
    case "string": return JSON.stringify(node.value);
    case "number": case "word": return node.text;
  }
  const [open, close] = node.type === "object" ? "{}" : "[]";
  /** @param {string} inner @param {boolean} line */
  const parts = (inner, line) => (node.type === "object"
    ? node.members.map((m) => `${JSON.stringify(m.name)}: ${write(m.value, { indent: inner, flat: line })}`)
    : node.items.map((item) => write(item, { indent: inner, flat: line })));
  const oneLine = open + parts(indent, true).join(", ") + close;
  if (flat || indent.length + oneLine.length <= lineWidth) return oneLine;
  const inner = indent + "  ";
  return `${open}\n${parts(inner, false).map((p) => inner + p).join(",\n")}\n${indent}${close}`;
}
