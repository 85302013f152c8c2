// A box that scrolls sideways (a wide table, a long formula) must be within reach of the keyboard; one that shows all
// of its content must not stand in the way.
{
  const article = document.querySelector("article");
  const update = () => {
    for (const box of article.querySelectorAll("div.math, .pst-scrollable-table-container")) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  // The article's size changes with the window, and once more when formulas are typeset.
  if (article) new ResizeObserver(update).observe(article);
}

// A printed page shows what lies in its folds, but no code; afterwards they are as the reader left them.
{
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:is(.fold-why, .sd-dropdown):not([open])")];
    for (const fold of opened) fold.open = true;
  });
  addEventListener("afterprint", () => { for (const fold of opened.splice(0)) fold.open = false; });
}
