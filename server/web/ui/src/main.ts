import "./main.css";
import htmx from "htmx.org";
import { listenForCopying } from "./copy";
import { listenForDrops } from "./drop";
import { listenForKeys } from "./keys";
import { listenForPhotos } from "./photos";

// The pages' content security policy allows neither inline styles nor eval.
htmx.config.includeIndicatorStyles = false;
htmx.config.allowEval = false;
htmx.config.attributesToSettle = ["class"];
htmx.config.selfRequestsOnly = true;
htmx.config.historyCacheSize = 0; // answers must not stay in the browser's storage
htmx.config.refreshOnHistoryMiss = true;
htmx.config.responseHandling = [
  { code: "204", swap: false },
  { code: "[23]..", swap: true },
  { code: "422", swap: true },
  { code: "[45]..", swap: false, error: true },
];

/** Say it where screen readers listen and eyes see it. */
function announce(text: string | undefined): void {
  const place = document.getElementById("announce");
  if (place) place.textContent = text ?? "";
}

document.body.addEventListener("htmx:beforeRequest", () => announce(""));
document.body.addEventListener("htmx:responseError", () => announce(document.body.dataset.failed));
document.body.addEventListener("htmx:sendError", () => announce(document.body.dataset.offline));

document.addEventListener("click", (event) => {
  const target = event.target as Element;
  if (target.closest("[data-print]")) window.print();
});
document.addEventListener("change", (event) => {
  const target = event.target as HTMLElement;
  if (target.matches("[data-submit]")) (target.closest("form") as HTMLFormElement | null)?.requestSubmit();
});

listenForCopying();
listenForDrops();
listenForKeys();
listenForPhotos();
