/* Plays figures that move: a button, a slider over the frames, nothing that starts by itself. The still image of the
   figure stays in the page for print and for readers without script. No libraries, no network. */
(function (root) {
  "use strict";

  /** Where a frame lies on the sheet: [left, top] in pixels. */
  function place(about, frame) {
    return [(frame % about.columns) * about.width, Math.floor(frame / about.columns) * about.height];
  }

  /** The frame after this one; after the last comes the first. */
  function following(about, frame) {
    return (frame + 1) % about.count;
  }

  if (typeof module !== "undefined") {
    module.exports = { place, following };
    return;
  }

  const still = root.matchMedia("(prefers-reduced-motion: reduce)");

  function mount(box) {
    const figure = document.getElementById(box.dataset.figure);
    const image = figure && figure.querySelector("img");
    if (!image) return;
    const about = JSON.parse(box.dataset.about);
    const canvas = document.createElement("canvas"), sheet = new Image();
    let frame = 0, timer = 0, loaded = false;
    canvas.width = about.width;
    canvas.height = about.height;
    canvas.className = "motion-canvas";
    canvas.hidden = true;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "Moving figure: " + image.alt);
    box.innerHTML =
      '<button type="button" class="motion-play"></button>' +
      '<input type="range" min="0" step="1" value="0"><span class="motion-moment"></span>';
    const button = box.querySelector("button"), slider = box.querySelector("input"), moment = box.querySelector("span");
    slider.max = about.count - 1;
    slider.setAttribute("aria-label", "Frame of the moving figure");
    // The image may be a link to itself, which goes with it: a link without content would still take the focus.
    const holder = image.closest("a") || image;
    holder.classList.add("motion-still");
    holder.after(canvas, box);
    box.hidden = false;

    function show() {
      const at = place(about, frame);
      const pen = canvas.getContext("2d");
      pen.drawImage(sheet, at[0], at[1], about.width, about.height, 0, 0, about.width, about.height);
      slider.value = frame;
      slider.setAttribute("aria-valuetext", about.moments[frame]);
      moment.textContent = about.moments[frame];
    }

    // The sheet is fetched when it is first wanted.
    function ready(then) {
      if (loaded) return then();
      sheet.onload = () => {
        loaded = true;
        canvas.hidden = false;
        figure.classList.add("motion-on");
        then();
      };
      sheet.onerror = () => { moment.textContent = "The frames could not be loaded; the still image remains."; };
      sheet.src = box.dataset.frames;
    }

    function stop() {
      root.clearInterval(timer);
      timer = 0;
      label();
    }

    function label() {
      button.textContent = timer ? "Pause" : "Play";
      // Whoever asked for less motion steps through the frames with the slider.
      button.hidden = still.matches;
    }

    function play() {
      ready(() => {
        if (timer) return;
        show();
        timer = root.setInterval(() => { frame = following(about, frame); show(); }, 1000 / about.rate);
        label();
      });
    }

    button.addEventListener("click", () => (timer ? stop() : play()));
    slider.addEventListener("input", () => {
      frame = Number(slider.value);
      stop();
      ready(show);
    });
    still.addEventListener("change", stop);
    // A figure out of sight stands still.
    new root.IntersectionObserver((seen) => { if (timer && !seen[seen.length - 1].isIntersecting) stop(); }).observe(figure);
    slider.setAttribute("aria-valuetext", "still image");
    moment.textContent = about.count + " frames";
    label();
  }

  function begin() {
    document.querySelectorAll(".motion-player").forEach(mount);
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})(typeof globalThis === "undefined" ? this : globalThis);
