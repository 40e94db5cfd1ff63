// The shell: addresses, navigation, keys, themes.
import * as api from "./api.js";
import { h, kept } from "./dom.js";
import { button, dialog, failure, say, skeleton } from "./ui.js";
import * as account from "./views/account.js";
import * as admin from "./views/admin.js";
import * as history_ from "./views/history.js";
import * as practice from "./views/practice.js";
import * as progress from "./views/progress.js";
import * as round from "./views/round.js";
import * as topic from "./views/topic.js";

/** Address → page: {load(place) → data, draw(data, place) → nodes with one h1}. */
const PLACES = [
	[/^\/sign-in$/, account.signIn],
	[/^\/sign-up$/, account.signUp],
	[/^\/(?:progress)?$/, progress.page],
	[/^\/topics\/([^/]+)$/, topic.page],
	[/^\/practice$/, practice.page],
	[/^\/practice\/(\d+)$/, round.questions],
	[/^\/debugging\/(\d+)$/, round.challenges],
	[/^\/history$/, history_.page],
	[/^\/history\/(\d+)$/, history_.session],
	[/^\/plan$/, progress.plan],
	[/^\/account$/, account.page],
	[/^\/admin$/, admin.learners],
	[/^\/admin\/users\/(\d+)$/, admin.learner],
	[/^\/admin\/statistics$/, admin.statistics],
	[/^\/admin\/forecasts$/, admin.forecasts],
	[/^\/admin\/audit$/, admin.audit],
	[/^\/admin\/questions$/, admin.questions],
];
const NOWHERE = { load: () => Promise.reject(new api.Problem(404, {}, 0)) };
const NAVIGATION = [
	["/progress", "Progress", "p"],
	["/practice", "Practice", "r"],
	["/history", "History", "h"],
	["/plan", "Plan", "l"],
	["/account", "Account", "a"],
];
const ADMIN = ["/admin", "Admin", "m"];
const THEMES = [["auto", "Automatic"], ["light", "Light"], ["dark", "Dark"]];

const main = h("main", { id: "main", tabindex: "-1" });
const nav = h("nav", { "aria-label": "Main" });
const offline = h("p.offline-bar", { role: "status", hidden: true }, "You are offline. What you write is kept here.");
let visit = 0;
let leave = null;

function go(path, { replace = false } = {}) {
	if (replace) history.replaceState(null, "", path);
	else history.pushState(null, "", path);
	return show();
}

function placeOf(path) {
	try {
		for (const [pattern, page] of PLACES) {
			const found = pattern.exec(path);
			if (found) return [page, found.slice(1).map(decodeURIComponent)];
		}
	} catch {
		// what cannot be decoded names nothing
	}
	return [NOWHERE, []];
}

async function show() {
	const mine = ++visit;
	const { pathname, search, hash } = location;
	const [page, words] = placeOf(pathname);
	leave?.();
	leave = null;
	if (!page.open && !api.user()) {
		const next = pathname === "/" ? "" : `?next=${encodeURIComponent(pathname + search)}`;
		return go(`/sign-in${next}`, { replace: true });
	}
	if (page.open && api.user()) return go("/progress", { replace: true });
	drawNavigation(pathname);
	const place = { words, query: new URLSearchParams(search), go, again: show, onLeave: (work) => (leave = work), theme: { all: THEMES, now: theme, choose: chooseTheme } };
	const waiting = setTimeout(() => mine === visit && main.replaceChildren(skeleton()), 120);
	main.setAttribute("aria-busy", "true");
	let nodes;
	try {
		const data = await page.load(place);
		if (mine !== visit) return;
		nodes = await page.draw(data, place);
	} catch (error) {
		if (mine !== visit || (error.status === 401 && !api.user())) return;
		if (!(error instanceof api.Problem || error instanceof api.Unreached)) console.error(error);
		nodes = failure(error, show);
		if (error instanceof api.Unreached) addEventListener("online", () => mine === visit && show(), { once: true });
	} finally {
		clearTimeout(waiting);
	}
	if (mine !== visit) return;
	main.replaceChildren(...[nodes].flat(Infinity).filter(Boolean));
	main.className = page.kind || "";
	main.removeAttribute("aria-busy");
	document.title = `${main.querySelector("h1").textContent} · Gradus`;
	if (!hash) scrollTo(0, 0);
	if (visit > 1 && !main.contains(document.activeElement)) (main.querySelector("[data-focus]") || main.querySelector("h1"))?.focus({ preventScroll: true });
	performance.mark("gradus.drawn");
}

const navigation = () => (api.user() ? [...NAVIGATION, ...(api.user().role === "admin" ? [ADMIN] : [])] : []);

function drawNavigation(path) {
	document.body.classList.toggle("inside", Boolean(api.user()));
	const places = navigation();
	const here = path === "/" || path.startsWith("/topics") ? "/progress" : path.startsWith("/debugging") ? "/practice" : path;
	nav.hidden = !places.length;
	nav.replaceChildren(
		h(
			"ul",
			places.map(([href, name]) => {
				const current = here === href ? "page" : here.startsWith(`${href}/`) ? "true" : null;
				return h("li", h("a", { href, "aria-current": current }, name));
			}),
		),
	);
}

/** The theme in force by choice, or "auto". */
const theme = () => document.documentElement.dataset.theme || "auto";

const themeWords = () => `Theme: ${THEMES.find(([name]) => name === theme())[1].toLowerCase()}.`;

function chooseTheme(name) {
	if (name === "auto") delete document.documentElement.dataset.theme;
	else document.documentElement.dataset.theme = name;
	kept.set("theme", name === "auto" ? null : name);
	themeButton.setAttribute("aria-label", `${themeWords()} Change`);
	themeButton.textContent = { auto: "◐", light: "○", dark: "●" }[name];
}

function nextTheme() {
	const names = THEMES.map(([name]) => name);
	chooseTheme(names[(names.indexOf(theme()) + 1) % names.length]);
	say(themeWords());
}

const keysAreOn = () => kept.get("keys") !== "off";

function help() {
	if (document.querySelector("dialog[open]")) return;
	const line = (keys, what) => h("div", h("dt", keys.map((key) => h("kbd", key))), h("dd", what));
	const box = h("input", { type: "checkbox", checked: keysAreOn(), onchange: () => kept.set("keys", box.checked ? null : "off") });
	dialog(
		"Keyboard",
		h(
			"dl.keys",
			line(["?"], "This help"),
			navigation().map(([, name, key]) => line(["g", key], name)),
			api.user() ? line(["n"], "Next: what the page suggests") : null,
			line(["t"], "Change the theme"),
			line(["Ctrl", "Enter"], "Send the answer (⌘ Enter on a Mac)"),
			line(["Esc"], "Close a dialog"),
			line(["Tab"], "To the next control"),
		),
		h("label.pick", box, "Single keys are on"),
	);
}

let waitingForPlace = 0;
function onKey(event) {
	const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
	if (typing || event.ctrlKey || event.metaKey || event.altKey || !keysAreOn()) return;
	if (event.key === "?") return event.preventDefault(), help();
	if (document.querySelector("dialog[open]")) return;
	if (Date.now() < waitingForPlace) {
		waitingForPlace = 0;
		const found = navigation().find(([, , key]) => key === event.key);
		if (found) return event.preventDefault(), go(found[0]);
	}
	if (event.key === "g") waitingForPlace = Date.now() + 1500;
	else if (event.key === "t") nextTheme();
	else if (event.key === "n") main.querySelector("[data-next]")?.click();
}

function onClick(event) {
	const link = event.target.closest?.("a[href]");
	if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || link.target) return;
	const url = new URL(link.href);
	if (url.origin !== location.origin || link.hasAttribute("download") || placeOf(url.pathname)[0] === NOWHERE) return;
	if (url.hash && url.pathname === location.pathname) return;
	event.preventDefault();
	go(url.pathname + url.search);
}

const themeButton = button("", nextTheme, "icon");

function build() {
	const skip = h("a.skip", { href: "#main", onclick: (event) => (event.preventDefault(), main.focus()) }, "To the content");
	const helpButton = button("?", help, "icon", { "aria-label": "Keyboard help" });
	document.body.append(
		skip,
		h("header.top", h("a.brand", { href: "/" }, h("span.steps", { "aria-hidden": "true" }, h("i"), h("i"), h("i")), "Gradus"), nav, h("div.tools", themeButton, helpButton)),
		offline,
		main,
		h("div", { id: "messages", role: "status", "aria-live": "polite" }),
	);
	chooseTheme(theme());
}

const online = () => (offline.hidden = navigator.onLine);

async function start() {
	build();
	addEventListener("popstate", show);
	addEventListener("click", onClick);
	addEventListener("keydown", onKey);
	addEventListener("online", online);
	addEventListener("offline", online);
	addEventListener("gradus:signed-out", () => {
		say("Your login is over. Please sign in again.", "bad");
		go(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
	});
	online();
	main.replaceChildren(skeleton());
	try {
		await api.resume();
	} catch (error) {
		main.replaceChildren(failure(error, () => location.reload()));
		addEventListener("online", () => location.reload(), { once: true });
		return;
	}
	await show();
}

start();
