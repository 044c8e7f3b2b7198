/** Photos open large over the page; arrow keys walk through those of the record. Without script they open as files. */
export function listenForPhotos(): void {
  document.addEventListener("click", (event) => {
    const target = event.target as Element;
    const photo = target.closest<HTMLAnchorElement>("a[data-photo]");
    if (photo) {
      event.preventDefault();
      show(photo);
    }
    const viewer = target.closest<HTMLDialogElement>("#viewer");
    if (target.closest("[data-close]") || target === viewer) target.closest("dialog")?.close();
    const step = target.closest<HTMLElement>("[data-step]");
    if (step) walk(Number(step.dataset.step));
  });
  document.addEventListener("keydown", (event) => {
    if (!document.querySelector("#viewer[open]")) return;
    if (event.key === "ArrowRight") walk(1);
    if (event.key === "ArrowLeft") walk(-1);
  });
}

let shown: HTMLAnchorElement | null = null;

function show(photo: HTMLAnchorElement): void {
  const viewer = document.querySelector<HTMLDialogElement>("#viewer");
  const image = viewer?.querySelector("img");
  if (!viewer || !image) return;
  shown = photo;
  image.src = photo.href;
  image.alt = photo.dataset.photo ?? "";
  const caption = viewer.querySelector("[data-caption]");
  if (caption) caption.textContent = photo.dataset.photo ?? "";
  if (!viewer.open) viewer.showModal();
}

function walk(step: number): void {
  const photos = [...document.querySelectorAll<HTMLAnchorElement>("a[data-photo]")];
  const at = shown ? photos.indexOf(shown) : -1;
  const next = photos[(at + step + photos.length) % photos.length];
  if (next) show(next);
}
