// Filters, sorts and folds. The page is whole without it.
(() => {
  for (const part of document.querySelectorAll(".needs-script")) part.hidden = false;
  const table = document.querySelector("#hosts table");
  if (table) {
    const body = table.tBodies[0], rows = [...body.rows];
    const find = document.getElementById("find"), ended = document.getElementById("ended"), shown = document.getElementById("shown");
    const text = (row, at) => row.cells[at].textContent.trim();
    const rank = (row, at) => row.cells[at].dataset.n ?? text(row, at);
    const show = () => {
      const wanted = find.value.trim().toLowerCase();
      let left = 0;
      for (const row of rows) {
        row.hidden = !(row.textContent.toLowerCase().includes(wanted) && text(row, 1).endsWith(ended.value));
        left += row.hidden ? 0 : 1;
      }
      shown.textContent = `${left} of ${rows.length}`;
    };
    find.addEventListener("input", show);
    ended.addEventListener("change", show);
    show();
    [...table.tHead.rows[0].cells].forEach((head, at) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        rows.sort((a, b) => rank(a, at).localeCompare(rank(b, at), "en", { numeric: true }) * (down ? -1 : 1));
        body.append(...rows);
      });
    });
  }
  const fold = (id, open) => document.getElementById(id)?.addEventListener("click", () => {
    for (const part of document.querySelectorAll("details")) part.open = open;
  });
  fold("open-all", true);
  fold("close-all", false);
})();
