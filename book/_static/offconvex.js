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
