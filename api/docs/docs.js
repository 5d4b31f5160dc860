// Renders /openapi.json. Text from the document becomes text nodes, never HTML.
"use strict";

const make = (name, attrs = {}, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attrs)) node.setAttribute(key, value);
  node.append(...children.filter((c) => c !== null && c !== undefined && c !== ""));
  return node;
};

// prose turns `code` in a description into code elements.
const prose = (text = "") =>
  text.split("`").map((part, i) => (i % 2 ? make("code", {}, part) : part));

const nameOf = (ref) => ref.split("/").pop();

const follow = (doc, value) =>
  value && value.$ref
    ? value.$ref.slice(2).split("/").reduce((at, key) => at[key], doc)
    : value;

// typeOf writes a schema's type on one line, with links to named schemas.
const typeOf = (schema) => {
  if (!schema) return ["anything"];
  if (schema.$ref) {
    const name = nameOf(schema.$ref);
    return [make("a", { href: `#schema-${name}` }, name)];
  }
  if (schema.oneOf) return schema.oneOf.flatMap((s, i) => (i ? [" or ", ...typeOf(s)] : typeOf(s)));
  if (schema.const !== undefined) return [JSON.stringify(schema.const)];
  const types = [].concat(schema.type ?? "anything");
  const parts = types.flatMap((type, i) => {
    const item = type === "array" ? ["array of ", ...typeOf(schema.items)] : [type];
    return i ? [" or ", ...item] : item;
  });
  if (schema.format) parts.push(` (${schema.format})`);
  if (schema.enum) parts.push(`: ${schema.enum.join(", ")}`);
  const low = schema.minimum ?? schema.minLength;
  const high = schema.maximum ?? schema.maxLength ?? schema.maxItems;
  if (low !== undefined && high !== undefined) parts.push(`, ${low} to ${high}`);
  else if (high !== undefined) parts.push(`, at most ${high}`);
  if (schema.default !== undefined) parts.push(`, default ${JSON.stringify(schema.default)}`);
  return parts;
};

const row = (name, note, type, description) =>
  make("tr", {},
    make("td", {}, make("code", {}, name), note ? make("span", { class: "soft" }, ` ${note}`) : null),
    make("td", {}, make("span", { class: "type" }, ...type), description ? make("br") : null, ...prose(description)));

const table = (rows) => make("table", {}, make("tbody", {}, ...rows));

const fields = (schema) =>
  table(Object.entries(schema.properties ?? {}).map(([name, of]) =>
    row(name, (schema.required ?? []).includes(name) ? "" : "optional", typeOf(of), of.description)));

const example = (value) => make("pre", {}, JSON.stringify(value, null, 2));

const bodyOf = (doc, content) =>
  Object.entries(content ?? {}).map(([type, media]) => row(type, "", typeOf(media.schema), media.schema?.description));

const renderOperation = (doc, path, method, op) => {
  const section = make("section", { id: op.operationId },
    make("h3", {}, make("span", { class: `method ${method}` }, method.toUpperCase()), make("span", { class: "path" }, path)),
    make("p", {}, make("strong", {}, op.summary), ". ", ...prose(op.description)));
  const parameters = (op.parameters ?? []).map((p) => follow(doc, p));
  if (parameters.length) {
    section.append(make("h4", {}, "Parameters"), table(parameters.map((p) =>
      row(p.name, p.in, typeOf(p.schema), p.description ?? p.schema.description))));
  }
  if (op.requestBody) section.append(make("h4", {}, "Body"), table(bodyOf(doc, op.requestBody.content)));
  const answers = Object.entries(op.responses).map(([status, r]) => {
    const answer = follow(doc, r);
    const [media] = Object.values(answer.content ?? {});
    return row(status, "", media ? typeOf(media.schema) : ["empty"], answer.description);
  });
  section.append(make("h4", {}, "Answers"), table(answers));
  return section;
};

const renderSchema = (name, schema) => {
  const section = make("section", { id: `schema-${name}` }, make("h3", {}, name), make("p", {}, ...prose(schema.description)));
  section.append(schema.properties ? fields(schema) : make("p", { class: "type" }, ...typeOf(schema)));
  const shown = (schema.examples ?? []).filter((e) => typeof e === "object");
  if (shown.length) section.append(make("h4", {}, "Example"), ...shown.map(example));
  const words = (schema.examples ?? []).filter((e) => typeof e === "string");
  if (words.length) section.append(make("p", { class: "soft" }, words.join(", ")));
  return section;
};

const render = (doc) => {
  const main = document.getElementById("main");
  const toc = document.getElementById("toc");
  main.replaceChildren(make("h1", {}, doc.info.title), make("p", { class: "soft" }, doc.info.summary), make("p", {}, ...prose(doc.info.description)));
  const entry = (href, ...label) => make("li", { class: "entry" }, make("a", { href }, ...label));
  for (const tag of doc.tags) {
    main.append(make("h2", {}, tag.name), make("p", {}, ...prose(tag.description)));
    toc.append(make("li", { class: "tag" }, tag.name));
    for (const [path, item] of Object.entries(doc.paths)) {
      for (const [method, op] of Object.entries(item)) {
        if (!op.tags?.includes(tag.name)) continue;
        main.append(renderOperation(doc, path, method, op));
        toc.append(entry(`#${op.operationId}`, op.summary));
      }
    }
  }
  main.append(make("h2", {}, "Schemas"));
  toc.append(make("li", { class: "tag" }, "schemas"));
  for (const [name, schema] of Object.entries(doc.components.schemas)) {
    main.append(renderSchema(name, schema));
    toc.append(entry(`#schema-${name}`, name));
  }
};

document.getElementById("filter").addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  for (const item of document.querySelectorAll("#toc .entry")) {
    item.hidden = !item.textContent.toLowerCase().includes(wanted);
  }
});

fetch("/openapi.json")
  .then((answer) => {
    if (!answer.ok) throw new Error(`openapi.json answered ${answer.status}`);
    return answer.json();
  })
  .then((doc) => {
    render(doc);
    if (location.hash) document.querySelector(location.hash)?.scrollIntoView();
  })
  .catch((error) => document.getElementById("main").replaceChildren(make("p", {}, `The document could not be read: ${error.message}`)));
