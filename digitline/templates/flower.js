(function () {
  "use strict";

  // Milliseconds between two looks at what runs.
  var EVERY = 2000;
  var table = document.getElementById("tasks-table");

  // Nobody looks, or somebody copies a command.
  function isBadMoment() {
    return document.hidden || String(window.getSelection()) !== "";
  }

  // Make a job's number and name a link to its page, where that is known.
  function link(shown) {
    var number = parseInt(shown.textContent, 10);
    if (WEB_PAGE && number) {
      var anchor = document.createElement("a");
      anchor.href = WEB_PAGE.replace(/\/+$/, "") + "/jobs/" + number;
      anchor.textContent = shown.textContent.trim();
      shown.replaceChildren(anchor);
    }
  }

  document.querySelectorAll("#task-page dt").forEach(function (heading) {
    if (heading.textContent.trim() === "Job") {
      link(heading.nextElementSibling);
    }
  });

  if (table) {
    // A server that is away for a moment is no reason for a message that must be clicked away.
    $.fn.dataTable.ext.errMode = "none";
    $(table).on("draw.dt", function () {
      var tasks = $(table).DataTable();
      var job = tasks.columns().dataSrc().indexOf("job");
      tasks.rows().every(function () {
        this.node().classList.toggle("table-danger", this.data().state === "FAILURE");
        link(tasks.cell(this, job).node());
      });
      // The headings stand in a table of their own.
      tasks.columns.adjust();
    });
    setInterval(function () {
      if (!isBadMoment()) {
        $(table).DataTable().ajax.reload(null, false);
      }
    }, EVERY);
  } else if (document.querySelector("#task-page .task-state-started")) {
    setInterval(function () {
      if (!isBadMoment()) {
        location.reload();
      }
    }, EVERY);
  }
}());
