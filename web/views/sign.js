// Sign in, sign up.
import * as api from "../api.js";
import { a, h } from "../dom.js";
import { field, form } from "../ui.js";

const input = (name, autocomplete, more = {}) => h("input", { name, autocomplete, required: true, spellcheck: "false", autocapitalize: "none", ...more });

function page(title, sub, content, other) {
	return h("div.door", h("section", h("h1", { tabindex: "-1" }, title), h("p.sub", sub), content, h("p.other", other)));
}

/** Where to go after signing in: an address of these pages only. */
function next(place) {
	const given = place.query.get("next") || "";
	return /^\/[a-z]/.test(given) ? given : "/progress";
}

const withNext = (path, place) => (place.query.get("next") ? `${path}?next=${encodeURIComponent(place.query.get("next"))}` : path);

export const signIn = {
	open: true,
	kind: "narrow",
	load: async () => null,
	draw(_data, place) {
		const login = input("login", "username");
		const password = input("password", "current-password", { type: "password" });
		const content = form(
			[field("Username or email", login), field("Password", password)],
			async () => {
				await api.signIn({ login: login.value, password: password.value });
				await place.go(next(place), { replace: true });
			},
			{ label: "Sign in" },
		);
		return page("Welcome back", "Answer in your own words, and see what you have mastered.", content, [
			"New here? ",
			a(withNext("/sign-up", place), "Make an account"),
		]);
	},
};

export const signUp = {
	open: true,
	kind: "narrow",
	load: async () => null,
	draw(_data, place) {
		const username = input("username", "username");
		const email = input("email", "email", { type: "email" });
		const password = input("password", "new-password", { type: "password", minlength: 8 });
		const content = form(
			[
				field("Username", username, { hint: "2 to 64 characters, no spaces" }),
				field("Email", email),
				field("Password", password, { hint: "At least 8 characters; a sentence is easy to remember" }),
			],
			async () => {
				await api.signUp({ username: username.value, email: email.value, password: password.value });
				await place.go(next(place), { replace: true });
			},
			{ label: "Make an account" },
		);
		return page("Make an account", "Practise technical interviews, one good question after another.", content, [
			"Have one already? ",
			a(withNext("/sign-in", place), "Sign in"),
		]);
	},
};
