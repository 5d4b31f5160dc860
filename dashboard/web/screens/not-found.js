import { html } from "../html.js";
import { linkTo } from "../router.js";
import { Empty, Panel } from "../ui/parts.js";
import { Head } from "../ui/head.js";

/** For URLs that are no page's. */
export const NotFound = () => html`
  <${Head} title="No such page" />
  <${Panel} flush><${Empty} title="There is nothing at this address."><p>It may have been mistyped. <a href=${linkTo("")}>Go to the overview</a>, or search for a job above.</p><//><//>`;
