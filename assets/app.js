// Only makes pages nicer: every page reads and posts without it.

// Copies a field's text: <button data-copy="#field" data-copied="Copied">.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    const source = document.querySelector(button.dataset.copy);
    const label = button.querySelector("[data-label]") || button;
    const before = label.textContent;
    try {
      await navigator.clipboard.writeText(source.value ?? source.textContent);
      label.textContent = button.dataset.copied;
      setTimeout(() => { label.textContent = before; }, 2000);
    } catch {
      if (source.select) source.select();
    }
  });
}

// Renews a part of the page: <div id="live" data-poll="/campaigns/1/live" data-every="5">. An empty answer (204) ends it.
for (const part of document.querySelectorAll("[data-poll]")) {
  const every = Number(part.dataset.every || 10) * 1000;
  const renew = async () => {
    if (document.hidden || part.contains(document.activeElement)) return setTimeout(renew, every);
    try {
      const answer = await fetch(part.dataset.poll, { credentials: "same-origin", redirect: "error" });
      if (answer.status === 204 || answer.status === 404) return;
      if (answer.ok) part.innerHTML = await answer.text();
    } catch { /* the next round tries again */ }
    setTimeout(renew, every);
  };
  setTimeout(renew, every);
}

// Counts while one types: <form data-preview="/segments/preview" data-preview-into="#count">.
for (const form of document.querySelectorAll("form[data-preview]")) {
  const into = document.querySelector(form.dataset.previewInto);
  let timer;
  let running;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      if (running) running.abort();
      running = new AbortController();
      try {
        const answer = await fetch(form.dataset.preview, {
          method: "POST",
          body: new URLSearchParams(new FormData(form)),
          credentials: "same-origin",
          redirect: "error",
          signal: running.signal,
        });
        if (!answer.ok) return;
        into.innerHTML = await answer.text();
        // What the answer says about other places: <template data-into="id">.
        for (const part of into.querySelectorAll("template[data-into]")) {
          const place = document.getElementById(part.dataset.into);
          if (place) place.textContent = part.content.textContent;
        }
      } catch { /* what is shown stays */ }
    }, 350);
  });
}

// A condition of another kind has other fields, a new one has its own: <form data-rows> is sent at once, and one goes on
// at that row.
for (const form of document.querySelectorAll("form[data-rows]")) {
  const goOnAt = (row) => { form.action = `${form.action.split("#")[0]}#${row}`; };
  form.addEventListener("change", ({ target }) => {
    if (!target.matches("[data-again]")) return;
    const row = target.closest(".rule");
    goOnAt(row.id);
    form.requestSubmit(form.querySelector("[name=do][value=update]"));
  });
  form.addEventListener("submit", ({ submitter }) => {
    if (submitter?.value === "add") goOnAt(`rows-${form.querySelectorAll(".rule").length}`);
  });
  if (location.hash.startsWith("#rows-")) {
    const row = document.getElementById(location.hash.slice(1));
    [...row?.querySelectorAll("select, input") ?? []].find((field) => field.type !== "hidden")?.focus();
  }
}

// Counts ticked boxes: <form data-ticks="id"> … <b data-ticked>0</b>.
for (const form of document.querySelectorAll("form[data-ticks]")) {
  const show = form.querySelector("[data-ticked]");
  const count = () => { show.textContent = form.querySelectorAll(`[name="${form.dataset.ticks}"]:checked`).length; };
  form.addEventListener("change", count);
  count();
}

// `/` goes to the search field.
document.addEventListener("keydown", (event) => {
  const busy = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "");
  if (event.key !== "/" || busy || event.ctrlKey || event.metaKey) return;
  const field = document.querySelector("input[type=search]");
  if (field) { event.preventDefault(); field.focus(); }
});
