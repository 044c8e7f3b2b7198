/** One key an act: elements say which with `data-key`; `?` opens the list of keys. */
export function listenForKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "?") {
      document.querySelector<HTMLDialogElement>("#keys")?.showModal();
      return;
    }
    const wanted = event.key.toLowerCase();
    const found = [...document.querySelectorAll<HTMLElement>("[data-key]")].find((item) => item.dataset.key === wanted);
    if (!found) return;
    event.preventDefault();
    found.click();
  });
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("input, select, textarea"));
}
