// All journeys at once, in three ways; each is loaded when somebody looks at it.
import { html } from "../html.js";
import { lazy } from "../lazy.js";
import { place } from "../router.js";

const VIEWS = {
  "/map": lazy(() => import("./map.js"), "JourneyMap"),
  "/funnels": lazy(() => import("./funnels.js"), "Funnels"),
  "/heat": lazy(() => import("./heat.js"), "HeatMap"),
};

export const Journeys = () => html`<${VIEWS[place.value.path]} />`;
