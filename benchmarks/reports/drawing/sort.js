document.querySelectorAll("table.sorts").forEach(function (table) {
  table.querySelectorAll("thead th").forEach(function (head, column) {
    head.tabIndex = 0;
    function sort() {
      var down = head.getAttribute("aria-sort") === "ascending";
      table.querySelectorAll("thead th").forEach(function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      var body = table.tBodies[0], rows = Array.prototype.slice.call(body.rows);
      function key(row) { return row.cells[column].getAttribute("data-key"); }
      rows.sort(function (a, b) {
        var first = key(a), second = key(b), order;
        if (first === "" || second === "") { return (first === "") - (second === ""); }
        order = isNaN(first) || isNaN(second) ? first.localeCompare(second) : first - second;
        return down ? -order : order;
      });
      rows.forEach(function (row) { body.appendChild(row); });
    }
    head.addEventListener("click", sort);
    head.addEventListener("keydown", function (event) { if (event.key === "Enter") { sort(); } });
  });
});
