/** A file dragged anywhere onto `.drop` lands in its file input; the border shows where. */
export function listenForDrops(): void {
  const zone = (event: Event) => (event.target as Element).closest<HTMLElement>(".drop");
  for (const type of ["dragover", "dragenter"]) {
    document.addEventListener(type, (event) => {
      const over = zone(event);
      if (!over) return;
      event.preventDefault();
      over.classList.add("drop-over");
    });
  }
  document.addEventListener("dragleave", (event) => zone(event)?.classList.remove("drop-over"));
  document.addEventListener("drop", (event) => {
    const over = zone(event);
    const files = event.dataTransfer?.files;
    if (!over || !files?.length) return;
    event.preventDefault();
    over.classList.remove("drop-over");
    const input = over.querySelector<HTMLInputElement>("input[type=file]");
    if (!input) return;
    input.files = files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
}
