// Markup in tagged templates. Every value becomes text or an attribute, never
// markup, whatever is in it.
import { h } from "preact";
import htm from "htm";

export const html = htm.bind(h);
