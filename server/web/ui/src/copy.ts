/** Buttons with `data-copy` put its text on the clipboard and say so for a moment. */
export function listenForCopying(): void {
  document.addEventListener("click", async (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-copy]");
    if (!button) return;
    const done = await copy(button.dataset.copy ?? "");
    const label = button.querySelector("[data-label]") ?? button;
    const before = label.textContent;
    if (done && button.dataset.copied) {
      label.textContent = button.dataset.copied;
      window.setTimeout(() => (label.textContent = before), 1500);
    }
  });
}

async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyWithoutClipboard(text); // plain http on an intranet has no clipboard object
  }
}

function copyWithoutClipboard(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
