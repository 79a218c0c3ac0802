// The instructions are to be read to the end: what leads on opens when the end was in sight.

const onward = document.getElementById("continue");
const note = document.getElementById("read-on");

function refuse(event) {
  event.preventDefault();
  document.getElementById("guide").scrollIntoView({ block: "end" });
}

function open() {
  onward.removeAttribute("aria-disabled");
  onward.removeEventListener("click", refuse);
  note.hidden = true;
}

/** The end counts as seen once a mark behind the last line was on the screen. */
function watch() {
  const end = document.createElement("div");
  document.getElementById("guide").append(end);
  onward.setAttribute("aria-disabled", "true");
  onward.addEventListener("click", refuse);
  note.hidden = false;
  const observer = new IntersectionObserver(([entry]) => {
    if (!entry.isIntersecting) return;
    observer.disconnect();
    open();
  });
  observer.observe(end);
}

watch();
