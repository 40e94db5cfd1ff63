// What every page is made with: states, forms, dialogs, messages.
import { Problem, Unreached } from "./api.js";
import { bar } from "./charts.js";
import { h, newId } from "./dom.js";

export const h1 = (...words) => h("h1", { tabindex: "-1" }, words);

/** The heading of a page; `beside` stands at its end. */
export const heading = (title, sub = null, ...beside) =>
	h("header.heading", h("div", h1(title), sub ? h("p.sub", sub) : null), beside.some(Boolean) ? h("div.actions", beside) : null);

/** The figures of a page: a share from 0 to 1 at large, with its name and what is shown of it, and facts beside it. */
export const figures = (kind, name, shown, share, early, facts, note = null) =>
	h(
		`section.figures.${kind}`,
		{ "aria-label": "Figures" },
		h("div.big", h("p.label", name), h("p.number", shown, early ? earlyTag() : null), bar(share), note),
		h("dl", facts),
	);

export const earlyTag = () => h("span.tag", "early estimate");

export const section = (title, ...rest) => h("section", h("h2", title), rest);

/** A figure under its name, in a list of such. */
export const fact = (label, value, note = null) => h("div", h("dt", label), h("dd", value, note ? h("span.muted", ` ${note}`) : null));

export const button = (label, onclick, kind = "", more = {}) => h(`button.${kind}`, { type: "button", onclick, ...more }, label);

/** A button that rests while `work` is done; what goes wrong is said. */
export function acting(label, work, kind = "", more = {}) {
	const control = button(label, null, kind, more);
	control.addEventListener("click", async () => {
		control.disabled = true;
		try {
			await work(control);
		} catch (error) {
			say(error.message, "bad");
		} finally {
			control.disabled = false;
		}
	});
	return control;
}

export const empty = (title, text, ...actions) =>
	h("section.empty", h("h2", title), h("p", text), actions.length ? h("div.actions", actions) : null);

export const skeleton = () =>
	h("div.skeleton", { role: "status", "aria-label": "Loading" }, h("i"), h("i"), h("div.cards", h("b"), h("b"), h("b")));

/** What went wrong, in the words of the service, and a way on. */
export function failure(error, again) {
	const retry = button("Try again", again, "primary");
	const home = h("a.button", { href: "/progress" }, "To your progress");
	const shown = (title, text, ...actions) => h("section.empty", h1(title), h("p", text), h("div.actions", actions));
	if (error instanceof Unreached) return shown(navigator.onLine ? "The service does not reply" : "You are offline", "What you have written is kept in this browser; nothing is lost.", retry);
	if (error.status === 404) return shown("There is no such page", "What you are looking for does not exist, or belongs to somebody else.", home);
	return shown("That did not work", error.message, retry, home);
}

/** A short message at the edge; screen readers hear it, too. */
export function say(text, kind = "") {
	const message = h(`p.message.${kind}`, text);
	document.getElementById("messages").append(message);
	setTimeout(() => message.remove(), 6000);
}

export function field(label, input, { hint = null, name = input.name } = {}) {
	const id = (input.id ||= newId());
	const note = h("p.hint", { id: `${id}-note` }, hint);
	input.setAttribute("aria-describedby", note.id);
	return h("div.field", { "data-field": name }, h("label", { for: id }, label), input, note);
}

/** A choice: `options` are [value, words]. */
export const select = (name, options) => h("select", { name }, options.map(([value, words]) => h("option", { value }, words)));

/** Show the errors of a reply beside their fields; the rest, and what is no error of a field, above them. */
export function showErrors(form, error) {
	clearErrors(form);
	let rest = error.message;
	for (const { pointer, detail } of error instanceof Problem ? error.errors : []) {
		const whole = form.querySelector(`[data-field="${CSS.escape(pointer.replace(/^#\//, ""))}"]`);
		if (!whole) {
			rest = detail;
			continue;
		}
		const input = whole.querySelector("input, textarea, select");
		input.setAttribute("aria-invalid", "true");
		whole.querySelector(".hint").textContent = detail;
		whole.classList.add("wrong");
		if (rest === error.message) input.focus();
		rest = "";
	}
	if (rest) form.prepend(h("p.wrong-note", { role: "alert" }, rest));
}

function clearErrors(form) {
	for (const note of form.querySelectorAll(".wrong-note")) note.remove();
	for (const whole of form.querySelectorAll(".wrong")) {
		whole.classList.remove("wrong");
		whole.querySelector("[aria-invalid]")?.removeAttribute("aria-invalid");
	}
}

/** A form whose button rests while `submit(form)` works, and which shows what the service refuses. */
export function form(parts, submit, { label, kind = "primary", more = [] } = {}) {
	const go = h(`button.${kind}`, { type: "submit" }, label);
	const whole = h("form", { novalidate: true }, parts, h("div.actions", go, more));
	whole.addEventListener("submit", async (event) => {
		event.preventDefault();
		if (go.disabled) return;
		go.disabled = true;
		clearErrors(whole);
		try {
			await submit(whole);
		} catch (error) {
			showErrors(whole, error);
		} finally {
			go.disabled = false;
		}
	});
	return whole;
}

export function dialog(title, ...content) {
	const id = newId();
	const box = h("dialog", { "aria-labelledby": id });
	const close = button("×", () => box.close(), "icon", { "aria-label": "Close" });
	box.append(h("header", h("h2", { id }, title), close), ...content.flat());
	box.addEventListener("close", () => box.remove());
	box.addEventListener("click", (event) => event.target === box && box.close());
	document.body.append(box);
	box.showModal();
	return box;
}

/** Ask before what cannot be undone; with `word`, it has to be typed. `act` runs when it is confirmed. */
export function confirm(title, text, { label, word = null, fields = [] }, act) {
	const typed = word ? h("input", { name: "typed", autocomplete: "off", autocapitalize: "none", spellcheck: "false" }) : null;
	const parts = [h("p", text), fields, typed ? field(`Type “${word}” to confirm`, typed) : null];
	const asked = form(
		parts,
		async (whole) => {
			await act(whole);
			box.close();
		},
		{ label, kind: "danger", more: [button("Cancel", () => box.close())] },
	);
	if (typed) {
		const go = asked.querySelector("button.danger");
		const check = () => (go.disabled = typed.value.trim() !== word);
		typed.addEventListener("input", check);
		check();
	}
	const box = dialog(title, asked);
	return box;
}

/** A list that goes on: `load(cursor)` gives the next of replies with entries under `name`, `row` the node of an entry. */
export function longList(first, name, row, load) {
	const list = h("ul.plain");
	const whole = h("div", list);
	const show = ({ [name]: entries, next_cursor: next }) => {
		const rows = entries.map(row);
		list.append(...rows);
		const more = acting(
			"Show more",
			async () => {
				const page = await load(next);
				more.remove();
				show(page)?.querySelector("a, summary, button")?.focus();
			},
			"more",
		);
		if (next) whole.append(more);
		return rows[0];
	};
	show(first);
	return whole;
}
